/** MAC algorithms: HMAC with SHA-2 (RFC 6668), over the plaintext or the ciphertext. @module */
import { type Bytes, equal, putUint32, SshError } from "@postern/wire";

/** A MAC (RFC 4253 section 6.4). */
export interface Mac {
  readonly name: string;
  readonly keySize: number;
  readonly tagSize: number;
  /** whether the MAC covers the ciphertext and the length is not encrypted: encrypt-then-MAC (OpenSSH PROTOCOL 1.5) */
  readonly etm: boolean;
  /** Returns a function that computes the tag of `uint32 sequence || data` (takes the key). */
  keyed(key: Bytes): (sequence: number, data: Bytes) => Bytes;
}

/** A provider's HMAC (RFC 2104). Receives the key and returns a function that computes the tag of `head || data`. */
export type Hmac = (key: Bytes) => (head: Bytes, data: Bytes) => Bytes;

/** Creates a {@link Mac} from a provider's HMAC. Key and tag have the size of the digest (RFC 6668 section 2). */
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

/** Compares tags in constant time. @throws SshError `mac` unless they are equal */
export function checkTag(sequence: number, expected: Bytes, got: Bytes): void {
  if (!equal(expected, got)) throw wrongTag(sequence);
}

/** Creates the error for a packet that fails its integrity check. */
export function wrongTag(sequence: number): SshError {
  return new SshError("mac", `packet ${sequence}: expected its own tag, got another`);
}
