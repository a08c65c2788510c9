/** Fingerprints in pure JavaScript. @module */
import { sha256 } from "@postern/crypto";
import type { Bytes } from "@postern/wire";
import { fingerprintWith } from "../fingerprint.ts";

/**
 * `SHA256:` and the digest of the public key blob in base64 without padding.
 *
 * @example
 * sha256Fingerprint(blob); // "SHA256:uNiVztksCsDhcc0u9e8BgrJXVGDdmAnzFHUPbDjwm6o"
 */
export const sha256Fingerprint: (blob: Bytes) => string = /* @__PURE__ */ fingerprintWith(sha256);
