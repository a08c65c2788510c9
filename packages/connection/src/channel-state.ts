/** One channel: its phase and its two windows, RFC 4254 section 5. Knows neither role nor type. @module */
import { RfcLimits, SshError } from "@postern/wire";
import type { ReplyQueue } from "./replies.ts";

/** Who sent CHANNEL_OPEN. */
export type Opener = "ours" | "theirs";

/** What a channel expects next. */
export type Phase =
  /** we sent CHANNEL_OPEN; `abandoned`: nobody waits for the answer any more, a confirmation is answered with CLOSE */
  | { readonly at: "opening"; readonly abandoned: boolean }
  /** the peer sent CHANNEL_OPEN; the program decides */
  | { readonly at: "deciding" }
  /** data flows, in each direction until its EOF */
  | { readonly at: "open"; readonly in: "data" | "eof"; readonly out: "data" | "eof" }
  /** we sent CLOSE; the peer may send data until its EOF or CLOSE, which nobody takes (RFC 4254 section 5.3) */
  | { readonly at: "closing"; readonly in: "data" | "eof" };

/** The phase that thousands of channels are in: they share it. */
export const flowing: Phase = { at: "open", in: "data", out: "data" };

/** The windows and the phase of one channel, and what its requests wait for. */
export class ChannelState {
  readonly id: number;
  readonly opener: Opener;
  phase: Phase;
  peerId = 0;
  /** bytes the peer lets us send, and the largest data string it takes */
  sendWindow = 0;
  peerMaxPacket = 0;
  /** bytes we let the peer send, and the largest data string we take */
  receiveWindow: number;
  maxPacket: number;
  /** CLOSE follows what waits for the peer's credit */
  closesAfterWrite = false;
  /** our requests that wait for an answer */
  awaited = 0;
  /** the peer's requests that wait for ours; most channels never have one */
  replies: ReplyQueue | undefined;
  /** the whole window: what the peer may send, and what it sent that the consumer has not taken */
  #window: number;
  /** credit that is due but not sent yet */
  #due = 0;

  constructor(id: number, opener: Opener, window: number, maxPacket: number) {
    this.id = id;
    this.opener = opener;
    this.phase = opener === "ours" ? { at: "opening", abandoned: false } : { at: "deciding" };
    this.#window = window;
    this.receiveWindow = window;
    this.maxPacket = maxPacket;
  }

  /** How much the peer may send; settled when the channel is confirmed. */
  setLimits(window: number, maxPacket: number): void {
    this.#window = window;
    this.receiveWindow = window;
    this.maxPacket = maxPacket;
  }

  /** The peer's side of the channel, as its open or its confirmation tells. @throws SshError `protocol` when it takes no data at all */
  setPeer(peerId: number, window: number, maxPacket: number): void {
    if (maxPacket === 0) throw new SshError("protocol", "expected a max packet of at least 1 byte, got 0");
    this.peerId = peerId;
    this.sendWindow = window;
    this.peerMaxPacket = maxPacket;
  }

  /** Charges the peer for data it sent. @throws SshError `protocol` when it may not send that much */
  received(size: number): void {
    if (size > this.maxPacket) {
      throw new SshError("protocol", `expected at most ${this.maxPacket} bytes in one data message, got ${size}`);
    }
    if (size > this.receiveWindow) {
      throw new SshError("protocol", `expected data within the window of ${this.receiveWindow} bytes, got ${size}`);
    }
    if ("in" in this.phase && this.phase.in === "eof") {
      throw new SshError("protocol", "expected no data after EOF");
    }
    this.receiveWindow -= size;
  }

  /**
   * The consumer took `size` bytes, and the peer gets `credit` for them: more if the window grows, less if it shrinks.
   * Returns the credit to send now, or 0.
   */
  consumed(size: number, credit: number): number {
    this.#window += credit - size;
    this.#due += credit;
    // Each credit costs both sides a packet and a system call; waiting for half of a large window would halve the speed of a long link.
    if (this.#due < Math.min(8 * this.maxPacket, Math.ceil(this.#window / 2))) return 0;
    const due = this.#due;
    this.#due = 0;
    this.receiveWindow += due;
    return due;
  }

  /** The peer gives us credit. @throws SshError `protocol` when the window exceeds 2^32 - 1 (RFC 4254 section 5.2) */
  adjust(bytesToAdd: number): void {
    if (this.sendWindow + bytesToAdd > RfcLimits.maxWindow) {
      throw new SshError(
        "protocol",
        `expected a window of at most 2^32 - 1 bytes, got ${this.sendWindow} and ${bytesToAdd} more`,
      );
    }
    this.sendWindow += bytesToAdd;
  }
}
