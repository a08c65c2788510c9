/** Frames of a uint32 length and that many bytes, from the chunks of a stream. @module */
import { type Bytes, getUint32, SshError } from "@postern/wire";

const initialSize = 4096;

/** Collects frames. Holds at most one incomplete frame, and what it was given after it. */
export class FrameReader {
  readonly #largest: number;
  readonly #title: string;
  #buffer = new Uint8Array(initialSize);
  /** the unread bytes of the buffer */
  #start = 0;
  #end = 0;
  /** bytes to drop when they arrive */
  #skipped = 0;

  /**
   * @param largest bytes of a frame, without its length
   * @param title names a frame in error messages, such as `a packet`
   */
  constructor(largest: number, title: string) {
    this.#largest = largest;
    this.#title = title;
  }

  /** Adds a chunk (copies). */
  push(chunk: Bytes): void {
    const dropped = Math.min(this.#skipped, chunk.length);
    this.#skipped -= dropped;
    const kept = chunk.subarray(dropped);
    this.#reserve(kept.length);
    this.#buffer.set(kept, this.#end);
    this.#end += kept.length;
  }

  /**
   * Returns the content of the next frame (copies), or `undefined` if it is not complete.
   * @throws SshError `limit` for a frame that is too large, as soon as its length is known
   */
  next(): Bytes | undefined {
    if (this.#held < 4) return undefined;
    const size = getUint32(this.#buffer, this.#start);
    if (size > this.#largest) {
      throw new SshError("limit", `expected ${this.#title} of at most ${this.#largest} bytes, got ${size}`);
    }
    if (this.#held < 4 + size) return undefined;
    const from = this.#start + 4;
    this.#start = from + size;
    return this.#buffer.slice(from, this.#start);
  }

  /** Drops the next `size` bytes, now or when they arrive. */
  skip(size: number): void {
    const held = Math.min(size, this.#held);
    this.#start += held;
    this.#skipped += size - held;
  }

  /** Removes and returns the bytes that were not read. */
  takeRest(): Bytes {
    const rest = this.#buffer.slice(this.#start, this.#end);
    this.#start = this.#end;
    return rest;
  }

  get #held(): number {
    return this.#end - this.#start;
  }

  /** Doubles the buffer if it must grow, so that a frame that comes byte by byte is not copied each time. */
  #reserve(size: number): void {
    if (this.#held === 0) {
      this.#start = 0;
      this.#end = 0;
    }
    if (this.#end + size <= this.#buffer.length) return;
    const needed = this.#held + size;
    const isRoomy = 2 * needed <= this.#buffer.length;
    const target = isRoomy ? this.#buffer : new Uint8Array(Math.max(needed, 2 * this.#buffer.length));
    target.set(this.#buffer.subarray(this.#start, this.#end));
    this.#end = this.#held;
    this.#start = 0;
    this.#buffer = target;
  }
}
