/** MAC algorithms: HMAC with SHA-2 (RFC 6668), in both orders of encrypting and authenticating. @module */
import { hmac } from "@noble/hashes/hmac.js";
import { sha256, sha512 } from "@noble/hashes/sha2.js";
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
export function hmacMac(name: string, size: number, hmacOf: Hmac): Mac {
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

const hmacSha256: Hmac = (key) => prepared(hmac.create(sha256, key));
const hmacSha512: Hmac = (key) => prepared(hmac.create(sha512, key));

// The key's two blocks are hashed once, and cloned for each packet.
function prepared(keyed: ReturnType<typeof hmac.create>): ReturnType<Hmac> {
  return (head, data) => keyed.clone().update(head).update(data).digest();
}

/** `hmac-sha2-256`, RFC 6668 section 2. */
export const hmacSha2_256: Mac = /* @__PURE__ */ hmacMac("hmac-sha2-256", 32, hmacSha256);

/** `hmac-sha2-512`, RFC 6668 section 2. */
export const hmacSha2_512: Mac = /* @__PURE__ */ hmacMac("hmac-sha2-512", 64, hmacSha512);

/** `hmac-sha2-256-etm@openssh.com`, OpenSSH PROTOCOL section 1.5. */
export const hmacSha2_256Etm: Mac = /* @__PURE__ */ hmacMac("hmac-sha2-256-etm@openssh.com", 32, hmacSha256);

/** `hmac-sha2-512-etm@openssh.com`, OpenSSH PROTOCOL section 1.5. */
export const hmacSha2_512Etm: Mac = /* @__PURE__ */ hmacMac("hmac-sha2-512-etm@openssh.com", 64, hmacSha512);
