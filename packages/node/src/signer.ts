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
import { type Bytes, SshError } from "@postern/wire";

/** RFC 5656 section 6.2.1 and RFC 8332 section 3; Ed25519 hashes by itself. */
const hashes: Readonly<Record<string, string>> = {
  "ecdsa-sha2-nistp256": "sha256",
  "ecdsa-sha2-nistp384": "sha384",
  "ecdsa-sha2-nistp521": "sha512",
  "rsa-sha2-512": "sha512",
  "rsa-sha2-256": "sha256",
};

/**
 * Gives what signs with a private key, synchronously for every type; the same algorithms as `signer` of `@postern/keys`.
 *
 * @throws SshError `key` when this platform does not take the key, and from `sign` when it refuses to sign; `misuse` from `sign`
 *   for an algorithm the key cannot make
 * @example
 * const signer = createSigner(parsePrivateKey(await readFile("id_ed25519", "utf8")));
 */
export function createSigner(key: PrivateKey): Signer {
  const algorithms = signatureAlgorithms(key);
  const object = trying("a private key", () => createPrivateKey({ key: privateKeyJwk(key), format: "jwk" }));
  return {
    publicKey: key.publicKey,
    algorithms,
    sign(data, algorithm) {
      checkAlgorithm(data, algorithm, algorithms);
      const raw = trying("a signature", () => signWith(object, data, hashes[algorithm]));
      return encodeSignature(algorithm, key.type.startsWith("ecdsa-") ? encodeEcdsaPair(raw) : raw);
    },
  };
}

function signWith(key: KeyObject, data: Bytes, hash: string | undefined): Bytes {
  // PKCS1 v1.5 is what Node pads RSA with by default; dsaEncoding counts for ECDSA alone.
  return sign(hash, data, { key, dsaEncoding: "ieee-p1363" });
}

/** What the platform refuses is an SshError `key`; its own words stay in the cause. */
export function trying<T>(what: string, run: () => T): T {
  try {
    return run();
  } catch (cause) {
    throw new SshError("key", `expected ${what}, got a refusal of node:crypto`, { cause });
  }
}
