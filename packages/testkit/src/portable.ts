/** Test vectors and transcripts as tests that run in every runtime. @module */
import { type Algorithms, createSecurityKey, type Hash, type PublicKeyAlgorithm } from "@postern/crypto";
import * as keys from "@postern/keys";
import { hmacSha1, readPrivateKey, sha512 } from "@postern/noble";
import { toHex } from "@postern/wire";
import { authorizedKeysTests, fingerprintTests } from "./authorization-checks.ts";
import { certificateTests, type KrlFile, krlTests } from "./certificate-checks.ts";
import { exchangeHashTests, keyDerivationTests } from "./exchange-checks.ts";
import { handshakeTests } from "./handshake-checks.ts";
import { type KeyFileProvider, testsOfKeys } from "./key-checks.ts";
import { knownHostsTests } from "./known-hosts-checks.ts";
import { bytesOf, Player, type Transcript } from "./transcript.ts";
import { userauthTests } from "./userauth-checks.ts";
import {
  cipherTests,
  equal,
  hashTests,
  hostKeyTests,
  kexTests,
  macTests,
  testsOf,
  type Vector,
  type VectorFile,
  type VectorTest,
} from "./vector-checks.ts";
import { messageTests, typeTests } from "./wire-checks.ts";

export { bytesOf, Player, type Transcript } from "./transcript.ts";
export type { VectorFile, VectorTest } from "./vector-checks.ts";

/** Reads the key files of a provider. */
export type KeyFileReader = Pick<KeyFileProvider, "readPrivateKey" | "hasTripleDes">;

/**
 * Returns the tests of one file of `test-vectors/`. Throws if its kind is unknown, or if `algorithms` and `hashes` do
 * not contain its algorithm.
 */
export function testsOfFile(
  file: VectorFile,
  algorithms: Algorithms,
  hashes: readonly Hash[],
  keyFiles: KeyFileReader = { readPrivateKey },
): VectorTest[] {
  const value = <T extends { readonly name: string }>(values: readonly T[]): T => {
    const found = values.find(({ name }) => name === file.algorithm);
    if (found === undefined) throw new Error(`expected an implementation of ${file.kind} ${file.algorithm}, got none`);
    return found;
  };
  switch (file.kind) {
    case "cipher":
      return cipherTests(file, value(algorithms.ciphers), algorithms.macs);
    case "mac":
      return macTests(file, value(algorithms.macs));
    case "hash":
      return hashTests(file, value(hashes));
    case "kex":
      return kexTests(file, value(algorithms.kex));
    case "handshake":
      return handshakeTests(file, value(algorithms.kex), algorithms);
    case "kdf":
      return keyDerivationTests(file, value(hashes));
    case "exchange-hash":
      return exchangeHashTests(file, value(hashes), algorithms.hostKeys);
    case "authorized-keys":
      return authorizedKeysTests(file, algorithms.hostKeys);
    case "fingerprint":
      return fingerprintTests(file);
    case "userauth":
      return userauthTests(file, [value(algorithms.hostKeys)]);
    case "hostkey":
      return hostKeyTests(file, value(withSecurityKeys(algorithms, hashes)));
    case "certificates": {
      if (file.algorithm === "krl") return krlTests(file as KrlFile);
      const plain = withSecurityKeys(algorithms, hashes);
      return certificateTests(file, plain, plain.map(keys.createCertificateAlgorithm));
    }
    case "keys":
      return testsOfKeys(file, { ...keyFiles, algorithms: algorithms.hostKeys, sha512 });
    case "agent":
      return messageTests(file, keys);
    case "transcripts":
      return testsOf<Transcript & Vector>(file, file.algorithm, replay);
    case "known-hosts":
      return knownHostsTests(file, algorithms.hostKeys, hmacSha1);
    case "wire":
      return file.algorithm === "types" ? typeTests(file) : messageTests(file);
    default:
      throw new Error(`expected a known kind of test vectors, got ${file.kind}`);
  }
}

/** Adds the algorithms of security keys, which are built on others. */
function withSecurityKeys({ hostKeys }: Algorithms, hashes: readonly Hash[]): readonly PublicKeyAlgorithm[] {
  const sha256 = hashes.find(({ name }) => name === "sha256");
  if (sha256 === undefined) return hostKeys;
  const names = ["ssh-ed25519", "ecdsa-sha2-nistp256"];
  const plain = hostKeys.filter(({ name }) => names.includes(name));
  return [...hostKeys, ...plain.map((algorithm) => createSecurityKey(algorithm, sha256))];
}

/** Checks that the recorded seed and input produce the recorded output and events. */
function replay(transcript: Transcript): void {
  const { input, output } = bytesOf(transcript);
  const player = new Player(transcript);
  player.take();
  player.receive(input);
  equal(player.events.join("\n"), transcript.events.join("\n"));
  equal(toHex(player.out), toHex(output));
}
