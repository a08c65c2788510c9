/** Reads and writes the data types of RFC 4251 section 5. @module */

export function uint32(value) {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
}

export function string(value) {
  const bytes = Buffer.from(value);
  return Buffer.concat([uint32(bytes.length), bytes]);
}

/** Encodes unsigned big-endian bytes as an mpint. */
export function mpint(bytes) {
  let start = 0;
  while (start < bytes.length && bytes[start] === 0) start++;
  const digits = bytes.subarray(start);
  return string((digits[0] ?? 0) < 0x80 ? digits : Buffer.concat([Buffer.of(0), digits]));
}

/** Reads fields in order. Throws a RangeError if the bytes end early. */
export class Reader {
  #bytes;
  #at = 0;

  constructor(bytes) {
    this.#bytes = bytes;
  }

  byte() {
    return this.#take(1).readUInt8();
  }

  uint32() {
    return this.#take(4).readUInt32BE();
  }

  string() {
    return this.#take(this.uint32());
  }

  text() {
    return this.string().toString();
  }

  rest() {
    return this.#bytes.subarray(this.#at);
  }

  #take(size) {
    const end = this.#at + size;
    if (end > this.#bytes.length)
      throw new RangeError(`expected ${size} more bytes, got ${this.#bytes.length - this.#at}`);
    const part = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return part;
  }
}
