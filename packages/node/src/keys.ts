/** Key files with `node:crypto`: reading, making, fingerprints. @module */
import { createECDH, createPrivateKey, createPublicKey } from "node:crypto";
import type { Signer } from "@postern/crypto";
import {
  createFingerprint,
  createKeyGenerator,
  createKeyReader,
  createPrivateKeyParser,
  type GenerateOptions,
  type PublicHalf,
  type ReadPrivateKeyOptions,
} from "@postern/keys";
import { type Bytes, concat, fromHex, SshError } from "@postern/wire";
import { sha256 } from "./algorithms.ts";
import { createSigner, trying } from "./signer.ts";

/** PKCS #8 around a seed of 32 bytes (RFC 8410 section 7). */
const ed25519Prefix = "302e020100300506032b657004220420";
const curves = { nistp256: "prime256v1", nistp384: "secp384r1", nistp521: "secp521r1" } as const;

const nativePublicHalf: PublicHalf = {
  ed25519: (seed) =>
    trying("an Ed25519 key", () => {
      const der = concat(fromHex(ed25519Prefix), seed);
      const key = createPrivateKey({ key: Buffer.from(der.buffer), format: "der", type: "pkcs8" });
      der.fill(0);
      return copyOf(Buffer.from(createPublicKey(key).export({ format: "jwk" }).x ?? "", "base64url"));
    }),
  ecdsa: ({ name }, scalar) =>
    trying("an ECDSA key", () => {
      const key = createECDH(curves[name]);
      key.setPrivateKey(scalar);
      return copyOf(key.getPublicKey());
    }),
};

const decode = /* @__PURE__ */ createPrivateKeyParser(nativePublicHalf);

/**
 * Gives what signs with a private key, from the text of an unencrypted OpenSSH key file.
 *
 * @throws SshError `key` when the text is no private key that can be read, or this platform's `node:crypto` does not take it
 */
export function readNativeSigner(text: string): Signer {
  return createSigner(decode(text));
}

/**
 * Reads the text of a private key file and gives what signs with it: with `node:crypto`, or in JavaScript where that refuses the key.
 *
 * @throws SshError `key` when the text is no private key that can be read, `misuse` for an option it does not know
 * @example
 * const signer = await readPrivateKey(text);
 */
export const readPrivateKey: (text: string, options?: ReadPrivateKeyOptions) => Promise<Signer> =
  /* @__PURE__ */ createKeyReader(async (text) => {
    try {
      return readNativeSigner(text);
    } catch (error) {
      // What is wrong with the text has no cause; a refusal of the platform has.
      if (!(error instanceof SshError) || error.cause === undefined) throw error;
      const noble = await import("@postern/noble");
      return noble.readPrivateKey(text);
    }
  });

/**
 * Makes an Ed25519 key, such as a host key. Keep the text where nobody else can read it; `readPrivateKey` and `ssh` read it.
 *
 * @example
 * await writeFile("host_key", generatePrivateKey(), { mode: 0o600 });
 */
export const generatePrivateKey: (options?: GenerateOptions) => string =
  /* @__PURE__ */ createKeyGenerator(nativePublicHalf);

/**
 * `SHA256:` and the digest of the public key blob in base64 without padding.
 *
 * @example
 * sha256Fingerprint(blob); // "SHA256:uNiVztksCsDhcc0u9e8BgrJXVGDdmAnzFHUPbDjwm6o"
 */
export const sha256Fingerprint: (blob: Bytes) => string = /* @__PURE__ */ createFingerprint(sha256);

/** Of the plain kind, so that no Buffer with its other `slice` gets out. */
function copyOf(buffer: Buffer): Bytes {
  return Uint8Array.from(buffer);
}
