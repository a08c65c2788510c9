/** ECDSA on the NIST curves in pure JavaScript. @module */
import { p256, p384, p521 } from "@noble/curves/nist.js";
import type { PublicKeyAlgorithm } from "@postern/crypto";
import { createEcdsa, type Ecdsa, nistp256, nistp384, nistp521 } from "@postern/crypto";

function noble(curve: typeof p256): Ecdsa {
  return {
    checkPoint: (point) => {
      curve.Point.fromBytes(point);
    },
    // prehash: noble hashes data with the hash it ties to the curve, which is the one RFC 5656 asks for.
    verify: (point, data, signature) => curve.verify(signature, data, point, { lowS: false, prehash: true }),
  };
}

/** `ecdsa-sha2-nistp256` in pure JavaScript. */
export const ecdsaNistp256: PublicKeyAlgorithm = /* @__PURE__ */ createEcdsa(nistp256, /* @__PURE__ */ noble(p256));

/** `ecdsa-sha2-nistp384` in pure JavaScript. */
export const ecdsaNistp384: PublicKeyAlgorithm = /* @__PURE__ */ createEcdsa(nistp384, /* @__PURE__ */ noble(p384));

/** `ecdsa-sha2-nistp521` in pure JavaScript. */
export const ecdsaNistp521: PublicKeyAlgorithm = /* @__PURE__ */ createEcdsa(nistp521, /* @__PURE__ */ noble(p521));
