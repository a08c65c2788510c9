/** Loads test vectors from `test-vectors/` and checks an implementation against them. Node.js only. @module */
import { readFileSync } from "node:fs";
import type { Algorithms, Cipher, Hash, KexMethod, Mac, PublicKeyAlgorithm } from "@postern/crypto";
import { certificateTests } from "./certificate-checks.ts";
import { exchangeHashTests, keyDerivationTests } from "./exchange-checks.ts";
import { handshakeTests } from "./handshake-checks.ts";
import type { KeyVector } from "./key-checks.ts";
import { userauthTests } from "./userauth-checks.ts";
import * as checks from "./vector-checks.ts";

export * from "./authorization-checks.ts";
export * from "./certificate-checks.ts";
export * from "./exchange-checks.ts";
export * from "./key-checks.ts";
export * from "./known-hosts-checks.ts";
export {
  type CipherVector,
  type HashVector,
  type HostKeyVector,
  type KexVector,
  type MacVector,
  throwsCode,
  type Vector,
  type VectorFile,
  type VectorTest,
  vectorsOf,
} from "./vector-checks.ts";
export * from "./wire-checks.ts";

/** Reads `test-vectors/<kind>/<algorithm>.json`. */
export function loadVectors(kind: string, algorithm: string): checks.VectorFile {
  const url = new URL(`../../../test-vectors/${kind}/${algorithm}.json`, import.meta.url);
  const file = JSON.parse(readFileSync(url, "utf8")) as checks.VectorFile;
  checks.equal(file.kind, kind);
  checks.equal(file.algorithm, algorithm);
  checks.ok(file.numberOfTests > 0, "expected vectors, got none");
  return file;
}

/** Returns the tests of `test-vectors/<kind>/<algorithm>.json`. */
export function loadTests<V extends checks.Vector>(kind: string, algorithm: string): readonly V[] {
  return checks.vectorsOf<V>(loadVectors(kind, algorithm));
}

/** Returns the vectors of key files, each with its key type. */
export function loadKeyVectors(): (readonly [type: string, vector: KeyVector])[] {
  const types = ["ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa"];
  return types.flatMap((type) => loadTests<KeyVector>("keys", type).map((vector) => [type, vector] as const));
}

/** Returns the tests of a provider, by kind. */
export function providerTests(
  algorithms: Algorithms,
  hashes: readonly Hash[],
): Readonly<Record<string, checks.VectorTest[]>> {
  const { macs, ciphers, kex, hostKeys } = algorithms;
  return {
    hashes: hashes.flatMap(hashTests),
    MACs: macs.flatMap(macTests),
    ciphers: ciphers.flatMap((cipher) => cipherTests(cipher, macs)),
    "key exchanges": kex.filter(({ groupExchange }) => groupExchange === undefined).flatMap(kexTests),
    handshakes: kex.flatMap((method) => handshakeTests(loadVectors("handshake", method.name), method, algorithms)),
    "public keys": hostKeys.flatMap(hostKeyTests),
    "user authentication": hostKeys
      .filter(({ name }) => !name.startsWith("sk-"))
      .flatMap((algorithm) => userauthTests(loadVectors("userauth", algorithm.name), [algorithm])),
    "key derivation": hashes.flatMap((hash) => keyDerivationTests(loadVectors("kdf", hash.name), hash)),
    "exchange hashes": hashes.flatMap((hash) =>
      exchangeHashTests(loadVectors("exchange-hash", hash.name), hash, hostKeys),
    ),
  };
}

/** Seals and opens each packet. `macs` are those of the same provider. */
export function cipherTests(cipher: Cipher, macs: readonly Mac[]): checks.VectorTest[] {
  return checks.cipherTests(loadVectors("cipher", cipher.name), cipher, macs);
}

export function macTests(mac: Mac): checks.VectorTest[] {
  return checks.macTests(loadVectors("mac", mac.name), mac);
}

export function hashTests(hash: Hash): checks.VectorTest[] {
  return checks.hashTests(loadVectors("hash", hash.name), hash);
}

/** Checks both roles: with the same randomness, client and server return the same values. */
export function kexTests(method: KexMethod): checks.VectorTest[] {
  return checks.kexTests(loadVectors("kex", method.name), method);
}

/** The vectors of certificates of every key type. */
export function allCertificateTests(
  plain: readonly PublicKeyAlgorithm[],
  certified: readonly PublicKeyAlgorithm[],
): checks.VectorTest[] {
  const types = new Set(plain.map(({ keyType }) => keyType));
  return [...types].flatMap((type) => certificateTests(loadVectors("certificates", type), plain, certified));
}

export function hostKeyTests(algorithm: PublicKeyAlgorithm): checks.VectorTest[] {
  return checks.hostKeyTests(loadVectors("hostkey", algorithm.name), algorithm);
}
