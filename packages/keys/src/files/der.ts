/** A strict reader of DER (ITU-T X.690): definite lengths in their shortest form, limited depth. @module */
import { type Bytes, SshError } from "@postern/wire";

/** The tags that key files use (X.680 section 8). */
export const DerTag = {
  INTEGER: 0x02,
  BIT_STRING: 0x03,
  OCTET_STRING: 0x04,
  NULL: 0x05,
  OID: 0x06,
  SEQUENCE: 0x30,
  SET: 0x31,
} as const;

/** PKCS #12 is the deepest format: a key in a bag in a sequence in a content in another, 12 levels. */
const maxDepth = 16;

/**
 * Reads the values of one element. Returned bytes are views. Methods throw SshError `protocol` for anything but the
 * expected element; messages contain no data.
 */
export class DerReader {
  readonly #bytes: Bytes;
  readonly #depth: number;
  #at = 0;

  constructor(bytes: Bytes, depth = 0) {
    if (depth > maxDepth) throw malformed(`at most ${maxDepth} levels`);
    this.#bytes = bytes;
    this.#depth = depth;
  }

  /** The tag of the next element, `undefined` at the end. */
  get tag(): number | undefined {
    return this.#bytes[this.#at];
  }

  /** Reads an element with the tag and returns its content. */
  content(tag: number): Bytes {
    if (this.tag !== tag) throw malformed("another element");
    this.#at++;
    const size = this.#length();
    if (size > this.#bytes.length - this.#at) throw malformed("more bytes");
    const content = this.#bytes.subarray(this.#at, this.#at + size);
    this.#at += size;
    return content;
  }

  /** Reads a constructed element, by default a SEQUENCE. */
  nested(tag: number = DerTag.SEQUENCE): DerReader {
    return new DerReader(this.content(tag), this.#depth + 1);
  }

  /** Reads an OCTET STRING that contains DER. */
  nestedOctets(): DerReader {
    return new DerReader(this.content(DerTag.OCTET_STRING), this.#depth + 1);
  }

  octets(): Bytes {
    return this.content(DerTag.OCTET_STRING);
  }

  /** Reads a BIT STRING of whole bytes. */
  bits(): Bytes {
    const content = this.content(DerTag.BIT_STRING);
    if (content[0] !== 0) throw malformed("a BIT STRING of whole bytes");
    return content.subarray(1);
  }

  /** Reads a non-negative INTEGER as big-endian bytes without leading zeros. */
  integer(): Bytes {
    const content = this.content(DerTag.INTEGER);
    const [first, second = 0] = content;
    if (first === undefined || first > 0x7f) throw malformed("a non-negative INTEGER");
    if (first !== 0) return content;
    if (content.length > 1 && second <= 0x7f) throw malformed("an INTEGER in its shortest form");
    return content.subarray(1);
  }

  /** Reads a non-negative INTEGER of at most 6 bytes. Larger ones are returned as 2^48, which exceeds each limit. */
  number(): number {
    const bytes = this.integer();
    return bytes.length > 6 ? 2 ** 48 : bytes.reduce((value, byte) => 256 * value + byte, 0);
  }

  /** Reads an OBJECT IDENTIFIER in dotted form. */
  oid(): string {
    const content = this.content(DerTag.OID);
    const last = content[content.length - 1];
    if (last === undefined || last > 0x7f || content.length > 32) throw malformed("an OBJECT IDENTIFIER");
    const arcs: number[] = [];
    let arc = 0;
    for (const byte of content) {
      if ((arc === 0 && byte === 0x80) || arc > 2 ** 40) throw malformed("an OBJECT IDENTIFIER");
      arc = 128 * arc + (byte & 0x7f);
      if (byte > 0x7f) continue;
      arcs.push(arc);
      arc = 0;
    }
    const [first = 0, ...rest] = arcs;
    const root = Math.min(2, Math.floor(first / 40));
    return [root, first - 40 * root, ...rest].join(".");
  }

  /** Reads an optional NULL. */
  optionalNull(): void {
    if (this.tag === DerTag.NULL && this.content(DerTag.NULL).length > 0) throw malformed("an empty NULL");
  }

  /** Skips an element of any type. */
  skip(): void {
    if (this.tag === undefined) throw malformed("an element");
    this.content(this.tag);
  }

  /** @throws SshError `protocol` if unread bytes remain */
  end(): void {
    if (this.tag !== undefined) throw malformed("the end of an element");
  }

  #length(): number {
    const first = this.#bytes[this.#at++];
    if (first === undefined) throw malformed("a length");
    if (first < 0x80) return first;
    const count = first & 0x7f;
    // 0x80 is the indefinite length of BER.
    if (count === 0 || count > 4) throw malformed("a definite length");
    let size = 0;
    for (let i = 0; i < count; i++) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined || (i === 0 && byte === 0)) throw malformed("a length in its shortest form");
      size = 256 * size + byte;
    }
    if (size < 0x80) throw malformed("a length in its shortest form");
    return size;
  }
}

function malformed(expected: string): SshError {
  return new SshError("protocol", `DER: expected ${expected}`);
}
