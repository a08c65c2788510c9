/** Private keys and fingerprints with `node:crypto`. @module */
import { createECDH, createPrivateKey, createPublicKey, generateKeyPair } from "node:crypto";
import { promisify } from "node:util";
import type { Signer } from "@postern/crypto";
import {
  checkReadOptions,
  createFingerprint,
  createKeyGenerator,
  createKeyReader,
  createKeyRewriter,
  createPrivateKeyParser,
  type GeneratePrivateKey,
  type PrivateKeyJwk,
  type PublicHalf,
  type ReadPrivateKeyOptions,
  type RewriteOptions,
  type RewrittenKey,
} from "@postern/keys";
import { type Bytes, concat, fromHex, SshError } from "@postern/wire";
import { sha256 } from "./algorithms.ts";
import { keyErrors } from "./key-errors.ts";
import { createKeyFileCrypto } from "./key-files.ts";
import { createSigner } from "./signer.ts";

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

const readNative = /* @__PURE__ */ createKeyReader({
  publicHalf: nativePublicHalf,
  parse: decode,
  signer: createSigner,
  crypto: createKeyFileCrypto,
});

/**
 * Reads a private key file and creates a signer. Formats: OpenSSH, PKCS #8, PKCS #1 and SEC 1 (PEM or DER), PuTTY,
 * PKCS #12, JWK. It signs with `node:crypto`, or in JavaScript if `node:crypto` rejects the key.
 *
 * @throws SshError `key` if the file is malformed, `passphrase` if the passphrase is missing or wrong, `unsupported` if
 *   the format or the type of key is not supported, `limit` if decrypting takes too much work, `misuse` for an unknown
 *   option. Errors of the function `passphrase` are thrown as they are.
 * @example
 * const signer = await readPrivateKey(await readFile("id_rsa.ppk"), { passphrase: "secret" });
 */
export async function readPrivateKey(file: string | Bytes, options: ReadPrivateKeyOptions = {}): Promise<Signer> {
  checkReadOptions("readPrivateKey", options);
  const { passphrase, certificate } = options;
  let answer: string | Promise<string> | undefined;
  // The user is asked once, even if the file is read twice.
  const once = typeof passphrase === "function" ? () => (answer ??= passphrase()) : passphrase;
  try {
    return await readNative(file, { passphrase: once, certificate });
  } catch (error) {
    // An error of the platform has a cause; an error in the file has none.
    if (!(error instanceof SshError) || error.code !== "key" || error.cause === undefined) throw error;
    const noble = await import("@postern/noble");
    return noble.readPrivateKey(file, { passphrase: once, certificate });
  }
}

const generateKeys = /* @__PURE__ */ promisify(generateKeyPair);

/**
 * Generates a private key, such as a host key, as the text of a key file for `readPrivateKey` and `ssh`. Store it
 * readable by its owner only. The result is a promise if the key is RSA or has a passphrase.
 *
 * @throws SshError `misuse` for options of another type or out of range
 * @example
 * await writeFile("host_key", generatePrivateKey(), { mode: 0o600 });
 * const text = await generatePrivateKey({ type: "rsa", bits: 4096, passphrase: "correct horse battery staple" });
 */
export const generatePrivateKey: GeneratePrivateKey = /* @__PURE__ */ createKeyGenerator({
  publicHalf: nativePublicHalf,
  crypto: createKeyFileCrypto,
  async generateRsa(modulusLength) {
    const { privateKey } = await generateKeys("rsa", { modulusLength, publicExponent: 65_537 });
    return privateKey.export({ format: "jwk" }) as PrivateKeyJwk;
  },
});

const rewrite = /* @__PURE__ */ createKeyRewriter({
  publicHalf: nativePublicHalf,
  parse: decode,
  crypto: createKeyFileCrypto,
});

/**
 * Reads a private key file in any format of `readPrivateKey`, and returns its key as the text of a file in the OpenSSH
 * format, with another passphrase or comment. Store it readable by its owner only.
 *
 * @throws SshError as `readPrivateKey`
 * @example
 * const { text } = await rewritePrivateKey(await readFile("key.ppk"), { passphrase: "old", newPassphrase: "new" });
 */
export async function rewritePrivateKey(file: string | Bytes, options: RewriteOptions): Promise<RewrittenKey> {
  return await rewrite(file, options);
}

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
