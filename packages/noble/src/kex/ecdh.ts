/** ECDH on the NIST curves in pure JavaScript. @module */
import { p256, p384, p521 } from "@noble/curves/nist.js";
import { createEcdh, type EphemeralKey, type KexMethod, nistp256, nistp384, nistp521 } from "@postern/crypto";
import type { Bytes } from "@postern/wire";
import { sha256, sha384, sha512 } from "../hash.ts";

function ephemeralKey(curve: typeof p256): (scalar: Bytes) => EphemeralKey {
  return (scalar) => ({
    publicKey: curve.getPublicKey(scalar, false),
    discard: () => void scalar.fill(0),
    agree(theirPublic) {
      try {
        // The result is a compressed point: a byte for the sign, then x.
        return curve.getSharedSecret(scalar, theirPublic, true).slice(1);
      } finally {
        scalar.fill(0);
      }
    },
  });
}

/** `ecdh-sha2-nistp256` in pure JavaScript. */
export const ecdhNistp256: KexMethod = /* @__PURE__ */ createEcdh(nistp256, sha256, /* @__PURE__ */ ephemeralKey(p256));

/** `ecdh-sha2-nistp384` in pure JavaScript. */
export const ecdhNistp384: KexMethod = /* @__PURE__ */ createEcdh(nistp384, sha384, /* @__PURE__ */ ephemeralKey(p384));

/** `ecdh-sha2-nistp521` in pure JavaScript. */
export const ecdhNistp521: KexMethod = /* @__PURE__ */ createEcdh(nistp521, sha512, /* @__PURE__ */ ephemeralKey(p521));
