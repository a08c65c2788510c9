/** X25519 in pure JavaScript. @module */
import { createCurve25519, type EphemeralKey, type KexMethod } from "@postern/crypto";
import type { Bytes } from "@postern/wire";
import { sha256 } from "../hash.ts";
import { x25519 } from "../x25519.ts";

export function nobleX25519(privateKey: Bytes): EphemeralKey {
  return {
    publicKey: x25519.getPublicKey(privateKey),
    discard: () => void privateKey.fill(0),
    agree(theirPublic) {
      try {
        return x25519.getSharedSecret(privateKey, theirPublic);
      } finally {
        privateKey.fill(0);
      }
    },
  };
}

/** `curve25519-sha256`, RFC 8731, in pure JavaScript. */
export const curve25519Sha256: KexMethod = /* @__PURE__ */ createCurve25519("curve25519-sha256", sha256, nobleX25519);

/** `curve25519-sha256` under its name before RFC 8731. */
export const curve25519Sha256Libssh: KexMethod = /* @__PURE__ */ createCurve25519(
  "curve25519-sha256@libssh.org",
  sha256,
  nobleX25519,
);
