/** X25519 (RFC 7748 section 5) with noble's Montgomery ladder. @module */
import { pow } from "@noble/curves/abstract/modular.js";
import { type MontgomeryECDH, montgomery } from "@noble/curves/abstract/montgomery.js";
import type { Bytes } from "@postern/wire";

/**
 * X25519 in pure JavaScript. noble's own value computes public keys with Ed25519, which saves 1 ms per key. But its
 * tables take tens of milliseconds to compute and 7 kB of a bundle, and an exchange needs only one key.
 */
export const x25519: MontgomeryECDH = /* @__PURE__ */ (() => {
  // RFC 7748 section 4.1
  const P = 2n ** 255n - 19n;
  return montgomery({
    P,
    type: "x25519",
    // decodeScalar25519, RFC 7748 section 5.
    adjustScalarBytes(scalar: Bytes): Bytes {
      scalar[0] = (scalar[0] ?? 0) & 248;
      scalar[31] = ((scalar[31] ?? 0) & 127) | 64;
      return scalar;
    },
    powPminus2: (x) => pow(x, P - 2n, P),
  });
})();
