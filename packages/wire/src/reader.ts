/** Reads the data types of RFC 4251 section 5. @module */
import { type Bytes, fromUtf8 } from "./bytes.ts";
import { SshError } from "./error.ts";
import { getUint32 } from "./writer.ts";

/** A cursor over bytes. What it hands out are views; running out of bytes is a `protocol` error that names the reading. */
export class Reader {
  readonly #bytes: Bytes;
  readonly #what: string;
  #at = 0;

  /** @param what names the thing being read, for errors */
  constructor(bytes: Bytes, what: string) {
    this.#bytes = bytes;
    this.#what = what;
  }

  /** How many bytes are left. */
  get remaining(): number {
    return this.#bytes.length - this.#at;
  }

  byte(): number {
    return this.#bytes[this.#take(1)] ?? 0;
  }

  /** Any value but 0 is true, as the RFC asks of readers. */
  boolean(): boolean {
    return this.byte() !== 0;
  }

  uint32(): number {
    return getUint32(this.#bytes, this.#take(4));
  }

  uint64(): bigint {
    return (BigInt(this.uint32()) << 32n) | BigInt(this.uint32());
  }

  /** A `string`: uint32 length and that many bytes (view). */
  string(): Bytes {
    return this.raw(this.uint32());
  }

  /** A `string` that holds UTF-8. */
  text(): string {
    return fromUtf8(this.string());
  }

  /** A non-negative `mpint` as unsigned big-endian bytes without leading zeros (view). */
  mpint(): Bytes {
    const bytes = this.string();
    const [first, second = 0] = bytes;
    if (first === undefined) return bytes;
    if (first > 0x7f) throw this.#error("a non-negative mpint", "a negative one");
    if (first !== 0) return bytes;
    // RFC 4251 section 5: unnecessary leading bytes MUST NOT be included.
    if (second <= 0x7f) throw this.#error("a minimal mpint", "one with a needless zero");
    return bytes.subarray(1);
  }

  /** Comma-separated names; the empty string is the empty list. An empty name inside a list is an error. */
  nameList(): readonly string[] {
    const text = this.text();
    if (text === "") return [];
    const names = text.split(",");
    if (names.includes("")) throw this.#error("a name-list", "one with an empty name");
    return names;
  }

  /** Exactly `size` bytes (view). */
  raw(size: number): Bytes {
    const at = this.#take(size);
    return this.#bytes.subarray(at, at + size);
  }

  /** All that is left (view). */
  rest(): Bytes {
    return this.raw(this.remaining);
  }

  /** @throws SshError `protocol` when bytes are left over */
  end(): void {
    if (this.remaining > 0) throw this.#error("its end", `${this.remaining} more bytes`);
  }

  /** Where the next `size` bytes begin. */
  #take(size: number): number {
    if (size > this.remaining) throw this.#error(`${size} bytes`, `${this.remaining}`);
    const at = this.#at;
    this.#at += size;
    return at;
  }

  #error(expected: string, got: string): SshError {
    return new SshError("protocol", `${this.#what}: expected ${expected}, got ${got}`);
  }
}
