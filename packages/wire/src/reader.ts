/** Reads the data types of RFC 4251 section 5. @module */
import { type Bytes, fromUtf8 } from "./bytes.ts";
import { SshError } from "./error.ts";
import { getUint32 } from "./writer.ts";

/** Reads values from bytes. Returned bytes are views. Methods throw SshError `protocol` if too few bytes remain. */
export class Reader {
  readonly #bytes: Bytes;
  readonly #title: string;
  #at = 0;

  /** @param title names the data in error messages */
  constructor(bytes: Bytes, title: string) {
    this.#bytes = bytes;
    this.#title = title;
  }

  /** The number of unread bytes. */
  get remaining(): number {
    return this.#bytes.length - this.#at;
  }

  byte(): number {
    return this.#bytes[this.#advance(1)] ?? 0;
  }

  /** Every value except 0 is true (RFC 4251 section 5). */
  boolean(): boolean {
    return this.byte() !== 0;
  }

  uint32(): number {
    return getUint32(this.#bytes, this.#advance(4));
  }

  uint64(): bigint {
    return (BigInt(this.uint32()) << 32n) | BigInt(this.uint32());
  }

  /** Reads a `string`: a uint32 length, then that many bytes (view). */
  string(): Bytes {
    return this.raw(this.uint32());
  }

  /** Reads a `string` that contains UTF-8. */
  text(): string {
    return fromUtf8(this.string());
  }

  /** Reads a non-negative `mpint` as unsigned big-endian bytes without leading zeros (view). */
  mpint(): Bytes {
    const bytes = this.string();
    const [first, second = 0] = bytes;
    if (first === undefined) return bytes;
    if (first > 0x7f) throw this.#error("a non-negative mpint", "a negative one");
    if (first !== 0) return bytes;
    // RFC 4251 section 5: unnecessary leading bytes MUST NOT be included.
    if (second <= 0x7f) throw this.#error("a minimal mpint", "one with an unnecessary leading zero");
    return bytes.subarray(1);
  }

  /** Reads comma-separated names. The empty string is the empty list; an empty name in a list is an error. */
  nameList(): readonly string[] {
    const text = this.text();
    if (text === "") return [];
    const names = text.split(",");
    if (names.includes("")) throw this.#error("a name-list", "one with an empty name");
    return names;
  }

  /** Reads `size` bytes (view). */
  raw(size: number): Bytes {
    const at = this.#advance(size);
    return this.#bytes.subarray(at, at + size);
  }

  /** Reads all remaining bytes (view). */
  rest(): Bytes {
    return this.raw(this.remaining);
  }

  /** @throws SshError `protocol` if unread bytes remain */
  end(): void {
    if (this.remaining > 0) throw this.#error("the end of the data", `${this.remaining} more bytes`);
  }

  /** Advances by `size` bytes and returns the position before. */
  #advance(size: number): number {
    if (size > this.remaining) throw this.#error(`${size} bytes`, `${this.remaining}`);
    const at = this.#at;
    this.#at += size;
    return at;
  }

  #error(expected: string, got: string): SshError {
    return new SshError("protocol", `${this.#title}: expected ${expected}, got ${got}`);
  }
}
