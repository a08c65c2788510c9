/** Two connection machines, and one against messages by hand. */
import { type Bytes, ChannelOpen, ChannelOpenConfirmation, concat, type PayloadSink } from "@postern/wire";
import { type ChannelLimits, type ConnectionEvent, ConnectionMachine } from "../src/index.ts";

/** A sink that keeps what is sent, and a machine that sends into it. */
export class Side {
  readonly sent: Bytes[] = [];
  readonly machine: ConnectionMachine;
  /** whether the sink takes user data */
  writable = true;
  /** the sequence number of the next packet */
  sequence = 0;
  /** set: a key exchange is on, and sequence numbers become known when each of these is called */
  held: (() => void)[] | undefined;

  constructor(now = 0) {
    const writable = (): boolean => this.writable;
    const sink: PayloadSink = {
      get writable() {
        return writable();
      },
      send: (head, body = nothing, onSent) => {
        this.sent.push(concat(head, body));
        const leave = (): void => {
          onSent?.(this.sequence);
          this.sequence++;
        };
        if (this.held === undefined) leave();
        else this.held.push(leave);
      },
    };
    this.machine = new ConnectionMachine({ sink, now });
  }

  /** What was sent since the last call. */
  take(): Bytes[] {
    return this.sent.splice(0);
  }

  /** The message numbers of what was sent since the last call. */
  numbers(): number[] {
    return this.take().map(([number = 0]) => number);
  }

  events(): ConnectionEvent[] {
    const all: ConnectionEvent[] = [];
    for (let event = this.machine.next(); event !== undefined; event = this.machine.next()) all.push(event);
    return all;
  }

  /** Gives messages to the machine, and what it makes of them. */
  hear(...payloads: readonly Bytes[]): ConnectionEvent[] {
    for (const payload of payloads) this.machine.receive(payload);
    return this.events();
  }
}

export const nothing = new Uint8Array(0);
export const limits: ChannelLimits = { window: 1000, maxPacket: 100 };

/** A side that has opened a channel, which the peer confirmed as its channel 7 with a window and largest packet. */
export function opened(
  { window = 1000, maxPacket = 100 } = {},
  ours: ChannelLimits = limits,
): { side: Side; id: number } {
  const side = new Side();
  const id = side.machine.openChannel("test", nothing, ours);
  side.hear(
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

/** A side that has accepted the peer's channel 7. */
export function accepted(
  { window = 1000, maxPacket = 100 } = {},
  ours: ChannelLimits = limits,
): { side: Side; id: number } {
  const side = new Side();
  const [event] = side.hear(
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

/** Carries messages between two sides until both are silent; gives the events of each. */
export function settle(
  one: Side,
  other: Side,
  decide: (event: ConnectionEvent, side: Side) => void = () => {},
): [ConnectionEvent[], ConnectionEvent[]] {
  const [ofOne, ofOther]: [ConnectionEvent[], ConnectionEvent[]] = [[], []];
  while (one.sent.length + other.sent.length > 0) {
    for (const [from, to, heard] of [
      [one, other, ofOther],
      [other, one, ofOne],
    ] as const) {
      for (const payload of from.take()) {
        for (const event of to.hear(payload)) {
          heard.push(event);
          decide(event, to);
        }
      }
    }
  }
  return [ofOne, ofOther];
}
