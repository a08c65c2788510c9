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

  /** Answers; sends this and all that waited behind it. */
  settle(slot: ReplySlot, payload: Bytes): void {
    slot.payload = payload;
    let [first] = this.#slots;
    while (first?.payload !== undefined) {
      this.#slots.shift();
      this.#send(first.payload);
      [first] = this.#slots;
    }
  }
}
