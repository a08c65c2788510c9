/** What a MAC algorithm is. @module */
import type { Bytes } from "@postern/wire";

/** A MAC (RFC 4253 section 6.4) as a value. */
export interface Mac {
  readonly name: string;
  readonly keySize: number;
  readonly tagSize: number;
  /** true: encrypt-then-MAC (OpenSSH PROTOCOL section 1.5): the length is clear, the MAC covers the ciphertext */
  readonly etm: boolean;
  /** A function that gives the tag of `uint32 sequence || data`; takes the key. */
  keyed(key: Bytes): (sequence: number, data: Bytes) => Bytes;
}
