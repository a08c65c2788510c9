/** Signing with `node:crypto`. @module */
import { createPrivateKey, type KeyObject, sign } from "node:crypto";
import type { Signer } from "@postern/crypto";
import {
  checkAlgorithm,
  encodeEcdsaPair,
  encodeSignature,
  type PrivateKey,
  privateKeyJwk,
  signatureAlgorithms,
} from "@postern/keys";
import type { Bytes } from "@postern/wire";
import { keyErrors } from "./key-errors.ts";

/** RFC 5656 section 6.2.1 and RFC 8332 section 3. Ed25519 needs no separate hash. */
const hashes: Readonly<Record<string, string>> = {
  "ecdsa-sha2-nistp256": "sha256",
  "ecdsa-sha2-nistp384": "sha384",
  "ecdsa-sha2-nistp521": "sha512",
  "rsa-sha2-512": "sha512",
  "rsa-sha2-256": "sha256",
};

/**
 * Creates a signer with a private key. It signs synchronously, and supports the same algorithms as `signer` of
 * `@postern/noble`.
 *
 * @throws SshError `key` if `node:crypto` rejects the key. `sign` throws `key` if `node:crypto` fails, and `misuse` for
 *   an algorithm that the key does not support
 * @example
 * const signer = createSigner(parsePrivateKey(await readFile("id_ed25519", "utf8")));
 */
export function createSigner(key: PrivateKey): Signer {
  const algorithms = signatureAlgorithms(key);
  const object = keyErrors("to accept the private key", () =>
    createPrivateKey({ key: privateKeyJwk(key), format: "jwk" }),
  );
  return {
    publicKey: key.publicKey,
    algorithms,
    sign(data, algorithm) {
      checkAlgorithm(data, algorithm, algorithms);
      const raw = keyErrors("to sign", () => signWith(object, data, hashes[algorithm]));
      return encodeSignature(algorithm, key.type.startsWith("ecdsa-") ? encodeEcdsaPair(raw) : raw);
    },
  };
}

function signWith(key: KeyObject, data: Bytes, hash: string | undefined): Bytes {
  // Node.js pads RSA with PKCS #1 v1.5 by default. dsaEncoding applies to ECDSA only.
  return sign(hash, data, { key, dsaEncoding: "ieee-p1363" });
}
