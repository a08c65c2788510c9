/** The NIST curves in pure JavaScript. @module */
import type { ECDSA } from "@noble/curves/abstract/weierstrass.js";
import { p256, p384, p521 } from "@noble/curves/nist.js";
import type { NistCurve } from "@postern/crypto/platform";

/** noble's curve for ours. */
export function ecdsaOf(curve: NistCurve): ECDSA {
  switch (curve.name) {
    case "nistp256":
      return p256;
    case "nistp384":
      return p384;
    case "nistp521":
      return p521;
    default:
      return curve.name satisfies never;
  }
}
