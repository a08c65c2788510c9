/** Checks of exchange hashes and of the keys derived from them. Runs in every runtime. @module */
import type { Cipher, Hash, Mac, PublicKeyAlgorithm } from "@postern/crypto";
import { deriveKeys, exchangeHash } from "@postern/transport";
import { fromHex, toHex } from "@postern/wire";
import { equal, ok, testsOf, type Vector, type VectorFile, type VectorTest } from "./vector-checks.ts";

export type Letter = "A" | "B" | "C" | "D" | "E" | "F";

interface KeyDerivationVector extends Vector {
  readonly secret: string;
  readonly exchangeHash: string;
  readonly sessionId: string;
  readonly keys: Readonly<Record<Letter, string>>;
}

interface ExchangeHashVector extends Vector {
  readonly clientVersion: string;
  readonly serverVersion: string;
  readonly clientInit: string;
  readonly serverInit: string;
  readonly hostKey: string;
  readonly clientPublic: string;
  readonly serverPublic: string;
  readonly secret: string;
  readonly exchangeHash: string;
  /** The signature of a real server, and its algorithm. */
  readonly signature?: string;
  readonly hostKeyAlgorithm?: string;
}

/** The IV, key and MAC key of each direction (RFC 4253 section 7.2). */
export const directions = [
  ["c2s", "A", "C", "E"],
  ["s2c", "B", "D", "F"],
] as const;

/** Derives the six keys. */
export function keyDerivationTests(file: VectorFile, hash: Hash): VectorTest[] {
  return testsOf<KeyDerivationVector>(file, hash.name, ({ keys, secret, sessionId, exchangeHash: h }) => {
    const source = { hash, secret: fromHex(secret), exchangeHash: fromHex(h), sessionId: fromHex(sessionId) };
    for (const [direction, iv, key, mac] of directions) {
      const sizeOf = (letter: Letter) => keys[letter].length / 2;
      const cipher = { ivSize: sizeOf(iv), keySize: sizeOf(key) } as Cipher;
      const derived = deriveKeys(direction, source, { cipher, mac: { keySize: sizeOf(mac) } as Mac });
      equal(toHex(derived.iv), keys[iv]);
      equal(toHex(derived.key), keys[key]);
      equal(derived.mac && toHex(derived.mac.key), keys[mac]);
    }
  });
}

/** Computes H, and verifies the server's signature of it. */
export function exchangeHashTests(
  file: VectorFile,
  hash: Hash,
  algorithms: readonly PublicKeyAlgorithm[],
): VectorTest[] {
  return testsOf<ExchangeHashVector>(file, hash.name, async (vector) => {
    const digest = exchangeHash(hash, {
      clientVersion: fromHex(vector.clientVersion),
      serverVersion: fromHex(vector.serverVersion),
      clientInit: fromHex(vector.clientInit),
      serverInit: fromHex(vector.serverInit),
      hostKey: fromHex(vector.hostKey),
      clientPublic: fromHex(vector.clientPublic),
      serverPublic: fromHex(vector.serverPublic),
      secret: fromHex(vector.secret),
    });
    equal(toHex(digest), vector.exchangeHash);
    if (vector.signature === undefined) return;
    const algorithm = algorithms.find(({ name }) => name === vector.hostKeyAlgorithm);
    ok(algorithm, `expected the algorithm ${vector.hostKeyAlgorithm}`);
    equal(await algorithm.verify(fromHex(vector.hostKey), digest, fromHex(vector.signature)), true);
  });
}
