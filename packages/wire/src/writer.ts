/** Writes the data types of RFC 4251 section 5. @module */
import { type ArrayBufferBytes, type Bytes, utf8 } from "./bytes.ts";
import { SshError } from "./error.ts";

/** A growing buffer. Each method appends a value and returns the writer. */
export class Writer {
  #bytes: ArrayBufferBytes;
  #at = 0;

  constructor(sizeHint = 64) {
    this.#bytes = new Uint8Array(sizeHint);
  }

  byte(value: number): this {
    this.#reserve(1);
    this.#bytes[this.#at++] = value;
    return this;
  }

  boolean(value: boolean): this {
    return this.byte(value ? 1 : 0);
  }

  uint32(value: number): this {
    if (!Number.isInteger(value) || value < 0 || value > 0xffff_ffff) {
      throw new SshError("misuse", `expected a uint32, got ${value}`);
    }
    this.#reserve(4);
    putUint32(this.#bytes, this.#at, value);
    this.#at += 4;
    return this;
  }

  uint64(value: bigint): this {
    return this.uint32(Number((value >> 32n) & 0xffff_ffffn)).uint32(Number(value & 0xffff_ffffn));
  }

  /** Writes a `string`: a uint32 length, then the bytes (copies). */
  string(value: Bytes): this {
    return this.uint32(value.length).raw(value);
  }

  text(value: string): this {
    return this.string(utf8(value));
  }

  /** Writes a non-negative `mpint` from unsigned big-endian bytes, with or without leading zeros. */
  mpint(value: Bytes): this {
    let start = 0;
    while (start < value.length && value[start] === 0) start++;
    const magnitude = value.subarray(start);
    const [first = 0] = magnitude;
    return first > 0x7f
      ? this.uint32(magnitude.length + 1)
          .byte(0)
          .raw(magnitude)
      : this.string(magnitude);
  }

  nameList(names: readonly string[]): this {
    for (const name of names) {
      // RFC 4251 section 6: US-ASCII, no comma, at most 64 characters.
      if (!/^[!-+\--~]{1,64}$/.test(name)) throw new SshError("misuse", `expected an algorithm name, got "${name}"`);
    }
    return this.text(names.join(","));
  }

  raw(value: Bytes): this {
    this.#reserve(value.length);
    this.#bytes.set(value, this.#at);
    this.#at += value.length;
    return this;
  }

  /** Returns the written bytes (view). Do not use the writer afterwards. */
  finish(): ArrayBufferBytes {
    return this.#bytes.subarray(0, this.#at);
  }

  #reserve(size: number): void {
    const needed = this.#at + size;
    if (needed <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, 2 * this.#bytes.length));
    grown.set(this.#bytes.subarray(0, this.#at));
    this.#bytes = grown;
  }
}

/** Writes a big-endian uint32 at an offset, modulo 2^32. */
export function putUint32(target: Bytes, at: number, value: number): void {
  target[at] = value >>> 24;
  target[at + 1] = value >>> 16;
  target[at + 2] = value >>> 8;
  target[at + 3] = value;
}

/** Reads a big-endian uint32 at an offset. */
export function getUint32(source: Bytes, at: number): number {
  return (
    (((source[at] ?? 0) << 24) |
      ((source[at + 1] ?? 0) << 16) |
      ((source[at + 2] ?? 0) << 8) |
      (source[at + 3] ?? 0)) >>>
    0
  );
}
