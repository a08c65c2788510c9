/** The state of one channel: its phase and its two windows, RFC 4254 section 5. @module */
import { SshError } from "@postern/wire";
import * as Limits from "@postern/wire/limits";
import type { ReplyQueue } from "./replies.ts";

/** The phases of a channel. */
export type Phase =
  /** we sent CHANNEL_OPEN; `abandoned`: answer a confirmation with CLOSE */
  | { readonly at: "opening"; readonly abandoned: boolean }
  /** the peer sent CHANNEL_OPEN, and the program decides */
  | { readonly at: "deciding" }
  /** confirmed; each direction carries data until its EOF */
  | { readonly at: "open"; readonly in: "data" | "eof"; readonly out: "data" | "eof" }
  /** we sent CLOSE; data that the peer sends until its EOF or CLOSE is dropped (RFC 4254 section 5.3) */
  | { readonly at: "closing"; readonly in: "data" | "eof" };

/** The phase of an open channel without EOF. One object for all channels, to save memory. */
export const openPhase: Phase = { at: "open", in: "data", out: "data" };

/** The phase, the windows and the pending requests of one channel. */
export class ChannelState {
  readonly id: number;
  /** the side that sent CHANNEL_OPEN */
  readonly openedBy: "ours" | "theirs";
  phase: Phase;
  peerId = 0;
  /** how many bytes we may send, and the largest data string that the peer accepts */
  sendWindow = 0;
  peerMaxPacket = 0;
  /** how many bytes the peer may send, and the largest data string that we accept */
  receiveWindow = 0;
  maxPacket = 0;
  /** whether to send CLOSE after the data that waits for the window */
  closesAfterWrite = false;
  /**
   * Whether EOF in both directions leaves it open until the peer closes it: a session that we opened, because the exit
   * status may follow (RFC 4254 section 6.10).
   */
  awaitsClose = false;
  /** how many of our requests wait for a reply */
  pendingReplies = 0;
  /** replies to the peer's requests; most channels have none */
  replies: ReplyQueue | undefined;
  /** the whole window: the bytes that the peer may send, those that the consumer has not taken, and unsent credit */
  #window = 0;
  /** credit that has not been sent in WINDOW_ADJUST yet */
  #unsentCredit = 0;

  constructor(id: number, openedBy: "ours" | "theirs", window: number, maxPacket: number) {
    this.id = id;
    this.openedBy = openedBy;
    this.phase = openedBy === "ours" ? { at: "opening", abandoned: false } : { at: "deciding" };
    this.setLimits(window, maxPacket);
  }

  /** Sets how much the peer may send. Must not be called after our confirmation, which announces the values. */
  setLimits(window: number, maxPacket: number): void {
    this.#window = window;
    this.receiveWindow = window;
    this.maxPacket = maxPacket;
  }

  /** Sets the values of the peer's CHANNEL_OPEN or its confirmation. @throws SshError `protocol` if `maxPacket` is 0 */
  setPeer(peerId: number, window: number, maxPacket: number): void {
    if (maxPacket === 0) throw new SshError("protocol", "expected a max packet of at least 1 byte, got 0");
    this.peerId = peerId;
    this.sendWindow = window;
    this.peerMaxPacket = maxPacket;
  }

  /** Subtracts received data from the window. @throws SshError `protocol` if the peer may not send it */
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
   * Adds `credit` for `size` bytes that the consumer took: more than `size` to grow the window, less to shrink it.
   * Returns the credit to send in WINDOW_ADJUST now, or 0.
   */
  consumed(size: number, credit: number): number {
    this.#window += credit - size;
    this.#unsentCredit += credit;
    // Every WINDOW_ADJUST costs both sides a packet and a system call, so credit is collected. Collecting half of a
    // large window would halve the throughput of a link with a long round trip.
    if (this.#unsentCredit < Math.min(8 * this.maxPacket, Math.ceil(this.#window / 2))) return 0;
    const credits = this.#unsentCredit;
    this.#unsentCredit = 0;
    this.receiveWindow += credits;
    return credits;
  }

  /** Extends the send window. @throws SshError `protocol` if it exceeds 2^32 - 1 bytes (RFC 4254 section 5.2) */
  adjust(bytesToAdd: number): void {
    if (this.sendWindow + bytesToAdd > Limits.maxWindow) {
      throw new SshError(
        "protocol",
        `expected a window of at most 2^32 - 1 bytes, got ${this.sendWindow} and ${bytesToAdd} more`,
      );
    }
    this.sendWindow += bytesToAdd;
  }
}
