/** MAC algorithms: HMAC with SHA-2 (RFC 6668), in both orders of encrypting and authenticating. @module */
import { type Bytes, equal, putUint32, SshError } from "@postern/wire";

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

/** An HMAC (RFC 2104) of a platform: takes the key; the function gives the tag of `head || data`. */
export type Hmac = (key: Bytes) => (head: Bytes, data: Bytes) => Bytes;

/** Makes a {@link Mac} of a platform's HMAC: key and tag have the size of the digest (RFC 6668 section 2). */
export function createHmacMac(name: string, size: number, hmacOf: Hmac): Mac {
  return {
    name,
    keySize: size,
    tagSize: size,
    etm: name.endsWith("-etm@openssh.com"),
    keyed(key) {
      if (key.length !== size)
        throw new SshError("misuse", `${name}: expected a key of ${size} bytes, got ${key.length}`);
      const tagOf = hmacOf(key);
      return (sequence, data) => {
        const head = new Uint8Array(4);
        putUint32(head, 0, sequence);
        return tagOf(head, data);
      };
    },
  };
}

/** @throws SshError `mac` unless the tags are equal; compares in constant time */
export function checkTag(sequence: number, expected: Bytes, got: Bytes): void {
  if (!equal(expected, got)) throw wrongTag(sequence);
}

/** What an opener throws for a packet that fails its integrity check. */
export function wrongTag(sequence: number): SshError {
  return new SshError("mac", `packet ${sequence}: expected its own tag, got another`);
}
