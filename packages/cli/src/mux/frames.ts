/** The framing of PROTOCOL.mux: each message follows its length. @module */
import { type Bytes, concat, getUint32, SshError, Writer } from "@postern/wire";

/** The largest message, as in OpenSSH (channels.c). */
export const maxMuxMessage: number = 256 * 1024;

const nothing: Bytes = /* @__PURE__ */ new Uint8Array(0);

/** Puts the length before a message. */
export function encodeMuxFrame(message: Bytes): Bytes {
  return new Writer(4 + message.length).string(message).finish();
}

/** Collects messages from the chunks of a stream. Holds what it was given until it is read. */
export class MuxFrameReader {
  #bytes: Bytes = nothing;
  /** bytes to drop */
  #skipped = 0;

  /** Adds a chunk (copies, if it is not read at once). */
  push(chunk: Bytes): void {
    const dropped = Math.min(this.#skipped, chunk.length);
    this.#skipped -= dropped;
    const kept = chunk.subarray(dropped);
    this.#bytes = this.#bytes.length === 0 ? kept.slice() : concat(this.#bytes, kept);
  }

  /**
   * Returns the next message, or `undefined` if it is not complete.
   * @throws SshError `limit` for a message of more than 256 KiB, as soon as its length is known
   */
  next(): Bytes | undefined {
    if (this.#bytes.length < 4) return undefined;
    const size = getUint32(this.#bytes, 0);
    if (size > maxMuxMessage) {
      throw new SshError("limit", `expected a multiplexing message of at most ${maxMuxMessage} bytes, got ${size}`);
    }
    if (this.#bytes.length < 4 + size) return undefined;
    const message = this.#bytes.subarray(4, 4 + size);
    this.#bytes = this.#bytes.subarray(4 + size);
    return message;
  }

  /** Drops the next `size` bytes, now or when they arrive. */
  skip(size: number): void {
    const held = Math.min(size, this.#bytes.length);
    this.#bytes = this.#bytes.subarray(held);
    this.#skipped += size - held;
  }

  /** Removes and returns the bytes that were not read. */
  takeRest(): Bytes {
    const rest = this.#bytes;
    this.#bytes = nothing;
    return rest;
  }
}
