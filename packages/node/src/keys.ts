/** Private keys and fingerprints with `node:crypto`. @module */
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
import { createSigner, keyErrors } from "./signer.ts";

/** The DER header of PKCS #8 before a seed of 32 bytes (RFC 8410 section 7). */
const ed25519Prefix = "302e020100300506032b657004220420";
const curves = { nistp256: "prime256v1", nistp384: "secp384r1", nistp521: "secp521r1" } as const;

const nativePublicHalf: PublicHalf = {
  ed25519: (seed) =>
    keyErrors("to accept the Ed25519 key", () => {
      const der = concat(fromHex(ed25519Prefix), seed);
      const key = createPrivateKey({ key: Buffer.from(der.buffer), format: "der", type: "pkcs8" });
      der.fill(0);
      return copyOf(Buffer.from(createPublicKey(key).export({ format: "jwk" }).x ?? "", "base64url"));
    }),
  ecdsa: ({ name }, scalar) =>
    keyErrors("to accept the ECDSA key", () => {
      const key = createECDH(curves[name]);
      key.setPrivateKey(scalar);
      return copyOf(key.getPublicKey());
    }),
};

const decode = /* @__PURE__ */ createPrivateKeyParser(nativePublicHalf);

/**
 * Creates a signer from the text of an unencrypted OpenSSH key file.
 *
 * @throws SshError `key` if the text is not a private key that can be read, or `node:crypto` rejects the key
 */
export function readNativeSigner(text: string): Signer {
  return createSigner(decode(text));
}

/**
 * Creates a signer from the text of a private key file. It signs with `node:crypto`, or in JavaScript if `node:crypto`
 * rejects the key.
 *
 * @throws SshError `key` if the text is not a private key that can be read, `misuse` for an unknown option
 * @example
 * const signer = await readPrivateKey(text);
 */
export const readPrivateKey: (text: string, options?: ReadPrivateKeyOptions) => Promise<Signer> =
  /* @__PURE__ */ createKeyReader(async (text) => {
    try {
      return readNativeSigner(text);
    } catch (error) {
      // An error of the platform has a cause; an error in the text has none.
      if (!(error instanceof SshError) || error.cause === undefined) throw error;
      const noble = await import("@postern/noble");
      return noble.readPrivateKey(text);
    }
  });

/**
 * Generates an Ed25519 key, such as a host key, as the text of a key file for `readPrivateKey` and `ssh`. Store it
 * readable by its owner only.
 *
 * @example
 * await writeFile("host_key", generatePrivateKey(), { mode: 0o600 });
 */
export const generatePrivateKey: (options?: GenerateOptions) => string =
  /* @__PURE__ */ createKeyGenerator(nativePublicHalf);

/**
 * Returns `SHA256:` and the digest of the public key blob in base64 without padding.
 *
 * @example
 * sha256Fingerprint(blob); // "SHA256:uNiVztksCsDhcc0u9e8BgrJXVGDdmAnzFHUPbDjwm6o"
 */
export const sha256Fingerprint: (blob: Bytes) => string = /* @__PURE__ */ createFingerprint(sha256);

/** Returns a plain Uint8Array, because `slice` of a Buffer does not copy. */
function copyOf(buffer: Buffer): Bytes {
  return Uint8Array.from(buffer);
}
