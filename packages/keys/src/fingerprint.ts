/** Fingerprints of public keys, as `ssh-keygen -lf` prints them. @module */
import type { Hash } from "@postern/crypto";
import { type ArrayBufferBytes, type Bytes, expectType, fromBase64, SshError, toBase64 } from "@postern/wire";

const prefix = "SHA256:";

/** Creates a provider's `sha256Fingerprint`. */
export function createFingerprint(sha256: Hash): (blob: Bytes) => string {
  return (blob) => {
    expectType("a public key", blob, "Uint8Array");
    return prefix + unpadded(sha256.digest(blob));
  };
}

/**
 * Parses a SHA-256 fingerprint. White space around it and padding after it are allowed.
 *
 * @returns the digest, 32 bytes
 * @throws SshError `key` for an MD5 fingerprint, a missing `SHA256:`, or a wrong length
 */
export function parseFingerprint(text: string): ArrayBufferBytes {
  expectType("a fingerprint", text, "string");
  const fingerprint = text.trim();
  const expected = "expected a fingerprint such as SHA256:… with 43 characters of base64";
  if (/^(?:MD5:)?(?:[0-9a-f]{2}:){15}[0-9a-f]{2}$/i.test(fingerprint)) {
    throw new SshError("key", `${expected}, got an MD5 fingerprint; print the other: ssh-keygen -l -E sha256 -f FILE`);
  }
  if (!fingerprint.startsWith(prefix)) {
    const bare = /^[A-Za-z0-9+/]{43}=?$/.test(fingerprint);
    throw new SshError("key", `${expected}, got ${bare ? "base64 without SHA256:" : "other text"}`);
  }
  const base64 = fingerprint.slice(prefix.length).replace(/=$/, "");
  if (!/^[A-Za-z0-9+/]*$/.test(base64)) throw new SshError("key", `${expected}, got other characters`);
  if (base64.length !== 43) throw new SshError("key", `${expected}, got ${base64.length}`);
  const digest = fromBase64(base64);
  // The last character encodes only four bits of the digest. If its other bits are set, the fingerprint was mistyped.
  if (unpadded(digest) !== base64) {
    throw new SshError("key", `${expected}, got an invalid last character; check it for a typing mistake`);
  }
  return digest;
}

function unpadded(digest: Bytes): string {
  return toBase64(digest).replace(/=+$/, "");
}
