/** Fuzz target: the connection layer between a peer and a program that both do anything. @module */
import { type FuzzTarget, inputOf, messagesOf, toyLogin, toyMessages } from "@postern/testkit";
import { type Bytes, SshError } from "@postern/wire";
import { type ConnectionEvent, ConnectionMachine, type ReplySlot } from "../src/index.ts";

const nothing = new Uint8Array(0);

/** The program: each call takes a channel number and a size. */
class Program {
  sent = 0;
  readonly #slots: { readonly id: number | undefined; readonly slot: ReplySlot }[] = [];
  readonly machine: ConnectionMachine = new ConnectionMachine({
    sink: { send: () => void this.sent++, writable: true },
    now: 0,
  });

  readonly calls: readonly ((id: number, size: number) => void)[] = [
    (id, size) => void this.machine.openChannel("x", new Uint8Array(id), { window: size, maxPacket: size }),
    (id) => this.machine.abandonOpen(id),
    (id) => this.machine.confirmOpen(id),
    (id, size) => this.machine.refuseOpen(id, size, "no"),
    (id, size) => void this.machine.write(id, new Uint8Array(size)),
    (id) => this.machine.eof(id),
    (id) => this.machine.closeAfterWrite(id),
    (id) => this.machine.close(id),
    (id, size) => this.machine.request(id, "x", nothing, size > 0),
    (_id, size) => this.machine.globalRequests.send("x", nothing, size > 0),
    (id, size) => {
      const [reply] = this.#slots.splice(id % Math.max(1, this.#slots.length), 1);
      if (reply?.id === undefined) {
        if (reply !== undefined) this.machine.globalRequests.reply(reply.slot, size > 0);
      } else this.machine.reply(reply.id, reply.slot, size > 0);
    },
    (_id, size) => this.machine.tick(size * 1000),
    (id) => this.machine.globalRequests.unimplemented(id),
  ];

  events(): void {
    for (let event = this.machine.next(); event !== undefined; event = this.machine.next()) this.#handle(event);
  }

  #handle(event: ConnectionEvent): void {
    if (event.type === "data") this.machine.consumed(event.id, event.data.length);
    if (event.type === "globalRequest" && event.slot !== undefined) {
      this.#slots.push({ id: undefined, slot: event.slot });
    }
    if (event.type === "request" && event.slot !== undefined) this.#slots.push({ id: event.id, slot: event.slot });
  }
}

/** Messages from 200 on are calls of the program. */
const firstCall = 200;

export const targets: readonly FuzzTarget[] = [
  {
    name: "connection",
    shape: "messages",
    sources: ["packages/connection/src/"],
    codes: ["protocol", "limit"],
    seeds() {
      const login = new Set(toyLogin("client"));
      const messages = Object.entries(toyMessages("client")).flatMap(([name, payload]) =>
        login.has(name) || (payload[0] ?? 0) < 80 || (payload[0] ?? 0) >= 128 ? [] : [payload],
      );
      const call = (at: number, id = 0, size = 10): Bytes => Uint8Array.of(firstCall + at, id, size);
      const [open = nothing] = messages.filter(([number]) => number === 90);
      const [confirmation = nothing] = messages.filter(([number]) => number === 91);
      return [
        [open, call(2), ...messages],
        [call(0, 0, 100), confirmation, call(4), call(5), call(6), call(7), ...messages],
        [call(9), call(8), ...messages, call(10), call(11)],
        ...messages.map((one) => [open, call(2), one]),
      ].map(inputOf);
    },
    run(input) {
      const program = new Program();
      for (const [number = 0, id = 0, size = 0, ...rest] of messagesOf(input)) {
        if (number < firstCall) {
          program.machine.receive(Uint8Array.of(number, id, size, ...rest));
        } else {
          try {
            program.calls[(number - firstCall) % program.calls.length]?.(id, size);
          } catch (error) {
            if (!(error instanceof SshError && ["misuse", "closed", "limit"].includes(error.code))) throw error;
          }
        }
        program.events();
        if (program.machine.channelCount < 0 || program.machine.globalRequests.unanswered < 0) {
          throw new Error("expected counts of 0 or more");
        }
      }
    },
  },
];
