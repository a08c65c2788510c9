/** Connection machines in pairs, or against hand-made messages. */
import { type Bytes, ChannelOpen, ChannelOpenConfirmation, concat, type PayloadSink } from "@postern/wire";
import { type ChannelLimits, type ConnectionEvent, ConnectionMachine } from "../src/index.ts";

/** A machine and its sink, which records all messages. */
export class Side {
  readonly sent: Bytes[] = [];
  readonly machine: ConnectionMachine;
  /** whether the sink accepts user data */
  writable = true;
  /** the sequence number of the next packet */
  sequence = 0;
  /** if set, messages are held as during a key exchange; call each function to send its message */
  held: (() => void)[] | undefined;

  constructor(now = 0) {
    const writable = (): boolean => this.writable;
    const sink: PayloadSink = {
      get writable() {
        return writable();
      },
      send: (head, body = nothing, onSent) => {
        this.sent.push(concat(head, body));
        const send = (): void => {
          onSent?.(this.sequence);
          this.sequence++;
        };
        if (this.held === undefined) send();
        else this.held.push(send);
      },
    };
    this.machine = new ConnectionMachine({ sink, now });
  }

  /** Returns the messages sent since the last call. */
  take(): Bytes[] {
    return this.sent.splice(0);
  }

  /** Returns the numbers of the messages sent since the last call. */
  numbers(): number[] {
    return this.take().map(([number = 0]) => number);
  }

  events(): ConnectionEvent[] {
    const all: ConnectionEvent[] = [];
    for (let event = this.machine.next(); event !== undefined; event = this.machine.next()) all.push(event);
    return all;
  }

  /** Passes messages to the machine, and returns its events. */
  receive(...payloads: readonly Bytes[]): ConnectionEvent[] {
    for (const payload of payloads) this.machine.receive(payload);
    return this.events();
  }
}

export const nothing = new Uint8Array(0);
export const limits: ChannelLimits = { window: 1000, maxPacket: 100 };

/** Returns a side with a channel that it opened and the peer confirmed as its channel 7. */
export function opened(
  { window = 1000, maxPacket = 100 } = {},
  ours: ChannelLimits = limits,
): { side: Side; id: number } {
  const side = new Side();
  const id = side.machine.openChannel("test", nothing, ours);
  side.receive(
    ChannelOpenConfirmation.encode({
      recipientChannel: id,
      senderChannel: 7,
      initialWindow: window,
      maxPacket,
      specificData: nothing,
    }),
  );
  side.take();
  return { side, id };
}

/** Returns a side that has accepted the peer's channel 7. */
export function accepted(
  { window = 1000, maxPacket = 100 } = {},
  ours: ChannelLimits = limits,
): { side: Side; id: number } {
  const side = new Side();
  const [event] = side.receive(
    ChannelOpen.encode({
      channelType: "test",
      senderChannel: 7,
      initialWindow: window,
      maxPacket,
      specificData: nothing,
    }),
  );
  if (event?.type !== "open") throw new Error("expected an open");
  side.machine.confirmOpen(event.id, nothing, ours);
  side.take();
  return { side, id: event.id };
}

/** Delivers messages between two sides until both are idle. Returns the events of each. */
export function settle(
  one: Side,
  other: Side,
  decide: (event: ConnectionEvent, side: Side) => void = () => {},
): [ConnectionEvent[], ConnectionEvent[]] {
  const [ofOne, ofOther]: [ConnectionEvent[], ConnectionEvent[]] = [[], []];
  while (one.sent.length + other.sent.length > 0) {
    for (const [from, to, received] of [
      [one, other, ofOther],
      [other, one, ofOne],
    ] as const) {
      for (const payload of from.take()) {
        for (const event of to.receive(payload)) {
          received.push(event);
          decide(event, to);
        }
      }
    }
  }
  return [ofOne, ofOther];
}
