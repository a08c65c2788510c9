/** Bytes that wait for a consumer, held in memory of about their own size. @module */
import { type Bytes, concat } from "@postern/wire";

const blockSize = 4096;

/**
 * A queue of chunks. A view keeps the whole buffer behind it alive, and a peer may fill a window byte by byte: what is small
 * beside its buffer is copied, and small pieces are joined.
 */
export class ByteQueue {
  readonly #chunks: Bytes[] = [];
  /** what the last chunk is the beginning of, while there is room behind it */
  #block: Bytes | undefined;
  #used = 0;

  /** Bytes in the queue. */
  get size(): number {
    return this.#chunks.reduce((size, { length }) => size + length, 0);
  }

  get empty(): boolean {
    return this.#chunks.length === 0;
  }

  /** Appends (takes). */
  push(chunk: Bytes): void {
    if (chunk.length === 0) return;
    if (chunk.length < blockSize) this.#join(chunk);
    else this.#append(2 * chunk.length >= chunk.buffer.byteLength ? chunk : chunk.slice());
  }

  /** The oldest bytes, perhaps several chunks in one (view). */
  shift(): Bytes | undefined {
    const chunk = this.#chunks.shift();
    // The last chunk may be the beginning of the block; what was handed out does not grow.
    if (this.#chunks.length === 0) this.#block = undefined;
    return chunk;
  }

  /** The first bytes, at most `size` of them, without taking them (copies). */
  peek(size: number): Bytes {
    const head: Bytes[] = [];
    let missing = size;
    for (const chunk of this.#chunks) {
      if (missing === 0) break;
      const part = chunk.subarray(0, missing);
      head.push(part);
      missing -= part.length;
    }
    return concat(...head);
  }

  /** Drops everything and gives the number of bytes dropped. */
  clear(): number {
    this.#block = undefined;
    const { size } = this;
    this.#chunks.length = 0;
    return size;
  }

  #append(chunk: Bytes): void {
    this.#block = undefined;
    this.#chunks.push(chunk);
  }

  #join(chunk: Bytes): void {
    if (this.#block === undefined || this.#block.length - this.#used < chunk.length) {
      this.#block = new Uint8Array(blockSize);
      this.#used = 0;
      this.#chunks.push(this.#block);
    }
    this.#block.set(chunk, this.#used);
    this.#used += chunk.length;
    this.#chunks[this.#chunks.length - 1] = this.#block.subarray(0, this.#used);
  }
}
