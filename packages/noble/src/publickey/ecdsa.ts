/** ECDSA on the NIST curves in pure JavaScript. @module */
import { p256, p384, p521 } from "@noble/curves/nist.js";
import { createEcdsa, type Ecdsa, nistp256, nistp384, nistp521, type PublicKeyAlgorithm } from "@postern/crypto";

function ecdsa(curve: typeof p256): Ecdsa {
  return {
    checkPoint: (point) => {
      curve.Point.fromBytes(point);
    },
    // With `prehash`, noble uses its hash function of the curve, which is the one RFC 5656 requires.
    verify: (point, data, signature) => curve.verify(signature, data, point, { lowS: false, prehash: true }),
  };
}

/** `ecdsa-sha2-nistp256` in pure JavaScript. */
export const ecdsaNistp256: PublicKeyAlgorithm = /* @__PURE__ */ createEcdsa(nistp256, /* @__PURE__ */ ecdsa(p256));

/** `ecdsa-sha2-nistp384` in pure JavaScript. */
export const ecdsaNistp384: PublicKeyAlgorithm = /* @__PURE__ */ createEcdsa(nistp384, /* @__PURE__ */ ecdsa(p384));

/** `ecdsa-sha2-nistp521` in pure JavaScript. */
export const ecdsaNistp521: PublicKeyAlgorithm = /* @__PURE__ */ createEcdsa(nistp521, /* @__PURE__ */ ecdsa(p521));
