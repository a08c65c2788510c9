/** Signs with a private key in memory: in pure JavaScript for Ed25519 and ECDSA, with WebCrypto for RSA. @module */
import { ed25519 } from "@noble/curves/ed25519.js";
import type { Signer } from "@postern/crypto";
import {
  checkAlgorithm,
  createKeyReader,
  encodeEcdsaPair,
  encodeSignature,
  type PrivateKey,
  privateKeyJwk,
  type ReadPrivateKeyOptions,
  type RsaPrivateKey,
  signatureAlgorithms,
} from "@postern/keys";
import { type Bytes, SshError } from "@postern/wire";
import { ecdsaOf, loadKeyFileCrypto, parsePrivateKey, publicHalf } from "./keys.ts";

/**
 * Reads a private key file and creates a signer. Formats: OpenSSH, PKCS #8, PKCS #1 and SEC 1 (PEM or DER), PuTTY,
 * PKCS #12, JWK. The code for encrypted files and for other formats than OpenSSH is loaded when it is needed.
 *
 * @throws SshError `key` if the file is malformed, `passphrase` if the passphrase is missing or wrong, `unsupported` if
 *   the format or the type of key is not supported, `limit` if decrypting takes too much work, `misuse` for an unknown
 *   option. Errors of the function `passphrase` are thrown as they are.
 * @example
 * const signer = await readPrivateKey(text, { passphrase: () => prompt("Passphrase:") });
 */
export const readPrivateKey: (file: string | Bytes, options?: ReadPrivateKeyOptions) => Promise<Signer> =
  /* @__PURE__ */ createKeyReader({ publicHalf, parse: parsePrivateKey, signer, crypto: loadKeyFileCrypto });

/**
 * Creates a signer from a private key. It is synchronous for Ed25519 (RFC 8709) and ECDSA (RFC 5656, with the
 * deterministic nonces of RFC 6979), and asynchronous for RSA (RFC 8332: rsa-sha2-512 and rsa-sha2-256, never SHA-1).
 */
export function signer(key: PrivateKey): Signer {
  const algorithms = signatureAlgorithms(key);
  const { publicKey } = key;
  switch (key.type) {
    case "ssh-rsa":
      return { publicKey, algorithms, sign: rsaSigner(key, algorithms) };
    case "ssh-ed25519":
      return {
        publicKey,
        algorithms,
        sign: (data, algorithm) =>
          encodeSignature(checkAlgorithm(data, algorithm, algorithms), ed25519.sign(data, key.seed)),
      };
    case "ecdsa-sha2-nistp256":
    case "ecdsa-sha2-nistp384":
    case "ecdsa-sha2-nistp521":
      return {
        publicKey,
        algorithms,
        sign(data, algorithm) {
          checkAlgorithm(data, algorithm, algorithms);
          // noble uses the curve's hash, as RFC 5656 section 6.2.1 requires. SSH does not require a low s.
          const pair = ecdsaOf(key.curve).sign(data, key.scalar, { prehash: true, lowS: false });
          return encodeSignature(algorithm, encodeEcdsaPair(pair));
        },
      };
  }
}

function rsaSigner(key: RsaPrivateKey, algorithms: readonly string[]): Signer["sign"] {
  const imported = new Map<string, Promise<CryptoKey>>();
  const keyFor = (algorithm: string): Promise<CryptoKey> => {
    const known = imported.get(algorithm);
    if (known) return known;
    // A CryptoKey is bound to one hash.
    const hash = algorithm === "rsa-sha2-512" ? "SHA-512" : "SHA-256";
    const use = { name: "RSASSA-PKCS1-v1_5", hash };
    const promise = crypto.subtle.importKey("jwk", privateKeyJwk(key), use, false, ["sign"]);
    imported.set(algorithm, promise);
    return promise;
  };
  return async (data, algorithm) => {
    checkAlgorithm(data, algorithm, algorithms);
    try {
      // A copy, because WebCrypto rejects shared memory and reads the data later.
      const copy = Uint8Array.from(data);
      const signature = await crypto.subtle.sign("RSASSA-PKCS1-v1_5", await keyFor(algorithm), copy);
      return encodeSignature(algorithm, new Uint8Array(signature));
    } catch (cause) {
      throw new SshError("key", "expected an RSA signature, got an error of WebCrypto", { cause });
    }
  };
}
