/** Follows the channels of a connection by its messages, for descriptions. @module */
import type { Bytes } from "../bytes.ts";
import type { Direction } from "../codec.ts";
import * as connection from "../messages/connection.ts";

/** The numbers of a channel on both sides (RFC 4254 section 5). One is `undefined` until the channel is confirmed. */
export interface ChannelNumbers {
  readonly ours: number | undefined;
  readonly theirs: number | undefined;
  /** the channel type, such as `forwarded-tcpip`, if its CHANNEL_OPEN was seen */
  readonly type: string | undefined;
}

/** The windows of a channel in bytes (RFC 4254 section 5.2). `undefined` if the start of the channel was not seen. */
export interface ChannelWindows {
  /** how much the peer may still send */
  readonly ours: number | undefined;
  /** how much we may still send */
  readonly theirs: number | undefined;
}

interface Tracked {
  readonly type: string | undefined;
  readonly ours: number | undefined;
  readonly theirs: number | undefined;
  windows: { ours: number | undefined; theirs: number | undefined };
  closes: number;
}

type Values = Readonly<Record<string, unknown>>;
type Side = "ours" | "theirs";

export class ChannelTracker {
  /** by the number of the side that chose it */
  readonly #channels: Readonly<Record<Side, Map<number, Tracked>>> = { ours: new Map(), theirs: new Map() };

  /** Handles one message. Returns its channel, and the windows after it. Returns `{}` if it is about no channel. */
  see(
    direction: Direction,
    number: number,
    values: Values,
  ): { readonly channel?: ChannelNumbers; readonly windows?: ChannelWindows } {
    const [sender, recipient]: [Side, Side] = direction === "sent" ? ["ours", "theirs"] : ["theirs", "ours"];
    const channel =
      number === connection.ChannelOpen.number
        ? this.#open(sender, values)
        : typeof values.recipientChannel === "number"
          ? this.#about(values.recipientChannel, sender, recipient, number, values)
          : undefined;
    if (channel === undefined) return {};
    const { ours, theirs, type, windows } = channel;
    return { channel: { ours, theirs, type }, windows: { ...windows } };
  }

  #open(sender: Side, values: Values): Tracked {
    const senderChannel = Number(values.senderChannel);
    const opened: Tracked = {
      ...none,
      type: String(values.channelType),
      [sender]: senderChannel,
      windows: { ...none.windows, [sender]: Number(values.initialWindow) },
    };
    this.#channels[sender].set(senderChannel, opened);
    return opened;
  }

  #about(recipientChannel: number, sender: Side, recipient: Side, number: number, values: Values): Tracked {
    const known = this.#channels[recipient].get(recipientChannel);
    const channel = known ?? { ...none, [recipient]: recipientChannel, windows: { ...none.windows } };
    const grow = (side: Side, bytes: number): void => {
      const { [side]: window } = channel.windows;
      if (window !== undefined) channel.windows[side] = window + bytes;
    };
    switch (number) {
      case connection.ChannelOpenConfirmation.number: {
        const windows = { ...channel.windows, [sender]: Number(values.initialWindow) };
        const confirmed = { ...channel, [sender]: Number(values.senderChannel), windows };
        this.#remember(confirmed);
        return confirmed;
      }
      case connection.ChannelOpenFailure.number:
        this.#forget(channel);
        break;
      case connection.ChannelWindowAdjust.number:
        grow(sender, Number(values.bytesToAdd));
        break;
      case connection.ChannelData.number:
      case connection.ChannelExtendedData.number:
        grow(recipient, -(values.data as Bytes).length);
        break;
      case connection.ChannelClose.number:
        if (++channel.closes === 2) this.#forget(channel);
        break;
    }
    return channel;
  }

  #remember(channel: Tracked): void {
    if (channel.ours !== undefined) this.#channels.ours.set(channel.ours, channel);
    if (channel.theirs !== undefined) this.#channels.theirs.set(channel.theirs, channel);
  }

  #forget({ ours, theirs }: Tracked): void {
    if (ours !== undefined) this.#channels.ours.delete(ours);
    if (theirs !== undefined) this.#channels.theirs.delete(theirs);
  }
}

const none: Tracked = {
  type: undefined,
  ours: undefined,
  theirs: undefined,
  windows: { ours: undefined, theirs: undefined },
  closes: 0,
};
