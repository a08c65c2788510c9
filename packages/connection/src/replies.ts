/** Replies carry no id: they go out in the order of the requests, RFC 4254 section 4. @module */
import type { Bytes } from "@postern/wire";

/** A request of the peer that waits for our answer. */
export interface ReplySlot {
  payload: Bytes | undefined;
}

/** Keeps answers that are ready early until it is their turn. */
export class ReplyQueue {
  readonly #send: (payload: Bytes) => void;
  #slots: ReplySlot[] = [];

  constructor(send: (payload: Bytes) => void) {
    this.#send = send;
  }

  get length(): number {
    return this.#slots.length;
  }

  /** A place for the answer to the request that just came. */
  add(): ReplySlot {
    const slot: ReplySlot = { payload: undefined };
    this.#slots.push(slot);
    return slot;
  }

  /** Answers; sends this and all that waited behind it, unless an older one is not answered yet. Returns how many were sent. */
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

  /** Nothing is sent any more. Returns how many answers were ready and waited for an older one. */
  drop(): number {
    return this.#slots.splice(0).filter(({ payload }) => payload !== undefined).length;
  }
}
