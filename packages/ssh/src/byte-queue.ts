/** Buffered bytes, held in about as much memory as they need. @module */
import { type ArrayBufferBytes, type Bytes, concat } from "@postern/wire";

const blockSize = 4096;

/**
 * A queue of chunks. A view keeps its whole buffer alive, and a peer may fill a window byte by byte. Therefore a chunk
 * that is small compared with its buffer is copied, and small chunks are joined.
 */
export class ByteQueue {
  readonly #chunks: Bytes[] = [];
  /** the buffer of the last chunk, while it has room for more */
  #block: Bytes | undefined;
  #used = 0;

  /** Bytes in the queue. */
  get size(): number {
    return this.#chunks.reduce((size, { length }) => size + length, 0);
  }

  get isEmpty(): boolean {
    return this.#chunks.length === 0;
  }

  /** Appends (takes). */
  push(chunk: Bytes): void {
    if (chunk.length === 0) return;
    if (chunk.length < blockSize) this.#join(chunk);
    else this.#append(2 * chunk.length >= chunk.buffer.byteLength ? chunk : chunk.slice());
  }

  /** Removes and returns the oldest bytes (view), possibly several chunks joined. */
  shift(): Bytes | undefined {
    const chunk = this.#chunks.shift();
    // The last chunk may be part of the block. A chunk that was returned must not grow.
    if (this.#chunks.length === 0) this.#block = undefined;
    return chunk;
  }

  /** Returns at most the first `size` bytes without removing them (copies). */
  peek(size: number): ArrayBufferBytes {
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

  /** Removes everything and returns the number of bytes removed. */
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
