/** `ssh-ed25519` (RFC 8709). @module */
import { type Bytes, SshError, toHex } from "@postern/wire";
import type { PublicKeyAlgorithm, Verdict } from "../publickey.ts";
import { readKey, readSignature } from "./blobs.ts";

const name = "ssh-ed25519";

/**
 * Creates the algorithm from a provider's Ed25519 (RFC 8032 section 5.1.7): keys of 32 bytes, signatures of 64.
 *
 * No signature is valid for a key of small order or in non-canonical form, on which providers differ.
 */
export function createEd25519(
  verify: (publicKey: Bytes, data: Bytes, signature: Bytes) => Verdict,
): PublicKeyAlgorithm {
  return {
    name,
    keyType: name,
    verify(publicKey, data, signature) {
      const key = readKey(publicKey, name, (reader) => {
        const bytes = reader.string();
        if (bytes.length === 32) return bytes;
        throw new SshError("key", `${name}: expected a key of 32 bytes, got ${bytes.length}`);
      });
      const bytes = readSignature(signature, name);
      return bytes?.length === 64 && !isWeak(key) && verify(key, data, bytes);
    },
  };
}

/** Returns whether y is not below p = 2^255 - 19, or belongs to a point whose order divides 8. */
function isWeak(key: Bytes): boolean {
  const y = key.slice();
  y[31] = (y[31] ?? 0) & 0x7f;
  const hex = toHex(y.reverse());
  return hex >= "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffed" || smallOrder.includes(hex);
}

/** The y coordinates of points of small order, big-endian: orders 1, 4, 2, 8 and 8. */
const smallOrder: readonly string[] = [
  "0000000000000000000000000000000000000000000000000000000000000001",
  "0000000000000000000000000000000000000000000000000000000000000000",
  "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffec",
  "05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826",
  "7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd84d3d706a17c7",
];
