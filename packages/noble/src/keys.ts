/** Key files and fingerprints in pure JavaScript. @module */
import type { ECDSA } from "@noble/curves/abstract/weierstrass.js";
import { ed25519 } from "@noble/curves/ed25519.js";
import { p256, p384, p521 } from "@noble/curves/nist.js";
import type { NistCurve } from "@postern/crypto";
import {
  createFingerprint,
  createKeyGenerator,
  createPrivateKeyParser,
  type GenerateOptions,
  type PrivateKey,
  type PublicHalf,
} from "@postern/keys";
import type { Bytes } from "@postern/wire";
import { sha256 } from "./hash.ts";

const curves: Readonly<Record<NistCurve["name"], ECDSA>> = { nistp256: p256, nistp384: p384, nistp521: p521 };

/** Returns noble's implementation of a curve. */
export function ecdsaOf(curve: NistCurve): ECDSA {
  return curves[curve.name];
}

/** Computes public keys from private ones. */
export const publicHalf: PublicHalf = {
  ed25519: (seed) => ed25519.getPublicKey(seed),
  ecdsa: (curve, scalar) => ecdsaOf(curve).getPublicKey(scalar, false),
};

/**
 * Parses the text of a private key file: Ed25519, ECDSA on the three NIST curves, RSA from 2048 to 16384 bits. Checks
 * that the public half matches the private half. Ignores white space between the lines.
 *
 * @throws SshError `key` if the text is malformed, encrypted, in another format (the message names the command that
 * converts it) or of another type; the message contains no part of the text
 */
export const parsePrivateKey: (text: string) => PrivateKey = /* @__PURE__ */ createPrivateKeyParser(publicHalf);

/**
 * Generates an Ed25519 key, such as a host key, and returns the text of its file. Protect the file from other users.
 *
 * @example
 * await writeFile("host_key", generatePrivateKey(), { mode: 0o600 });
 */
export const generatePrivateKey: (options?: GenerateOptions) => string = /* @__PURE__ */ createKeyGenerator(publicHalf);

/**
 * Returns `SHA256:` and the digest of the public key blob in base64 without padding, as `ssh-keygen -lf` prints it.
 *
 * @example
 * sha256Fingerprint(blob); // "SHA256:uNiVztksCsDhcc0u9e8BgrJXVGDdmAnzFHUPbDjwm6o"
 */
export const sha256Fingerprint: (blob: Bytes) => string = /* @__PURE__ */ createFingerprint(sha256);
