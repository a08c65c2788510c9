/** Key files and fingerprints in pure JavaScript. @module */
import type { ECDSA } from "@noble/curves/abstract/weierstrass.js";
import { ed25519 } from "@noble/curves/ed25519.js";
import { p256, p384, p521 } from "@noble/curves/nist.js";
import type { NistCurve } from "@postern/crypto";
import {
  createFingerprint,
  createKeyGenerator,
  createPrivateKeyParser,
  type GeneratePrivateKey,
  type KeyFileCrypto,
  type PrivateKey,
  type PrivateKeyJwk,
  type PublicHalf,
} from "@postern/keys";
import { type Bytes, SshError } from "@postern/wire";
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
 * Parses the text of an unencrypted private key in the OpenSSH format: Ed25519, ECDSA on the three NIST curves, RSA
 * from 2048 to 16384 bits. Checks that the public half matches the private half. Ignores white space between the lines.
 * `readPrivateKey` reads more formats.
 *
 * @throws SshError `key` if the text is malformed, `passphrase` if it is encrypted, `unsupported` if it is in another
 *   format or of another type, `limit` if it is too long; the message contains no part of the text
 */
export const parsePrivateKey: (text: string) => PrivateKey = /* @__PURE__ */ createPrivateKeyParser(publicHalf);

/**
 * Generates a private key, such as a host key, and returns the text of its file. Protect the file from other users. The
 * result is a promise if the key is RSA or has a passphrase.
 *
 * @throws SshError `misuse` for options of another type or out of range
 * @example
 * await writeFile("host_key", generatePrivateKey(), { mode: 0o600 });
 * const text = await generatePrivateKey({ type: "rsa", bits: 4096, passphrase: "correct horse battery staple" });
 */
export const generatePrivateKey: GeneratePrivateKey = /* @__PURE__ */ createKeyGenerator({
  publicHalf,
  crypto: loadKeyFileCrypto,
  generateRsa,
});

/** Loads the primitives of encrypted key files. */
export async function loadKeyFileCrypto(): Promise<KeyFileCrypto> {
  const { keyFileCrypto } = await import("./key-files.ts");
  return keyFileCrypto;
}

async function generateRsa(modulusLength: number): Promise<PrivateKeyJwk> {
  const publicExponent = Uint8Array.of(1, 0, 1);
  const use = { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256", modulusLength, publicExponent };
  try {
    const { privateKey } = await crypto.subtle.generateKey(use, true, ["sign", "verify"]);
    return (await crypto.subtle.exportKey("jwk", privateKey)) as PrivateKeyJwk;
  } catch (cause) {
    throw new SshError("key", "expected an RSA key, got an error of WebCrypto", { cause });
  }
}

/**
 * Returns `SHA256:` and the digest of the public key blob in base64 without padding, as `ssh-keygen -lf` prints it.
 *
 * @example
 * sha256Fingerprint(blob); // "SHA256:uNiVztksCsDhcc0u9e8BgrJXVGDdmAnzFHUPbDjwm6o"
 */
export const sha256Fingerprint: (blob: Bytes) => string = /* @__PURE__ */ createFingerprint(sha256);
