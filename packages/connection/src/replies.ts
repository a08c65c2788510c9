/** Replies to the peer's requests, sent in the order of the requests (RFC 4254 section 4). @module */
import type { Bytes } from "@postern/wire";

/** The place of one reply in the order of replies. */
export interface ReplySlot {
  payload: Bytes | undefined;
}

/** Holds replies that are ready before the reply to an older request. */
export class ReplyQueue {
  readonly #send: (payload: Bytes) => void;
  #slots: ReplySlot[] = [];

  constructor(send: (payload: Bytes) => void) {
    this.#send = send;
  }

  /** How many requests have no reply on its way yet. */
  get length(): number {
    return this.#slots.length;
  }

  /** Adds the slot for the reply to a request that has just arrived. */
  add(): ReplySlot {
    const slot: ReplySlot = { payload: undefined };
    this.#slots.push(slot);
    return slot;
  }

  /** Sets a reply, and sends all replies that are next in order. Returns how many were sent. */
  settle(slot: ReplySlot, payload: Bytes): number {
    slot.payload = payload;
    let sent = 0;
    for (let [first] = this.#slots; first?.payload !== undefined; [first] = this.#slots) {
      this.#slots.shift();
      this.#send(first.payload);
      sent++;
    }
    return sent;
  }

  /** Drops all replies. Returns how many were ready but not sent. */
  drop(): number {
    return this.#slots.splice(0).filter(({ payload }) => payload !== undefined).length;
  }
}
