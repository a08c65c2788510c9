/** Checks of the key file vectors, which ssh-keygen wrote. Runs in every runtime. @module */
import type { PublicKeyAlgorithm } from "@postern/crypto";
import { formatPublicKey } from "@postern/keys";
import { parsePrivateKey, readPrivateKey, sha256Fingerprint } from "@postern/noble";
import { fromHex, Reader, toHex } from "@postern/wire";
import { equal, ok, testsOf, throwsCode, type Vector, type VectorFile, type VectorTest } from "./vector-checks.ts";

export interface KeyVector extends Vector {
  readonly privateKey: string;
  readonly publicLine: string;
  readonly fingerprint: string;
  readonly bits: number;
  readonly data: string;
  /** The signature of `data` by OpenSSH. */
  readonly signature: string;
}

export interface UnreadVector extends Vector {
  readonly text: string;
  readonly expects: readonly string[];
}

/**
 * Reads each key and compares it with its `.pub` file. Verifies OpenSSH's signature and our own; the two must be equal
 * if the algorithm is deterministic.
 */
export function keyTests(file: VectorFile, algorithms: readonly PublicKeyAlgorithm[]): VectorTest[] {
  return testsOf<KeyVector>(file, file.algorithm, async (vector) => {
    const key = parsePrivateKey(vector.privateKey);
    equal(key.type, file.algorithm);
    equal(formatPublicKey(key.publicKey, key.comment), vector.publicLine);
    equal(sha256Fingerprint(key.publicKey), vector.fingerprint);
    const signer = await readPrivateKey(vector.privateKey);
    const [data, theirs] = [fromHex(vector.data), fromHex(vector.signature)];
    const name = new Reader(theirs, "signature").text();
    const algorithm = algorithms.find((one) => one.name === name);
    ok(algorithm, `expected the algorithm ${name}`);
    equal(
      await algorithm.verify(key.publicKey, data, theirs),
      true,
      "expected the signature of OpenSSH to be one of the key",
    );
    const ours = await signer.sign(data, name);
    equal(await algorithm.verify(key.publicKey, data, ours), true, "expected our signature to be one of the key");
    // RFC 8032 section 5.1.6, RFC 8017 section 8.2.1.
    if (!name.startsWith("ecdsa-")) equal(toHex(ours), vector.signature);
  });
}

/** Checks that each file is rejected, with an error that contains the expected words. */
export function unreadTests(file: VectorFile): VectorTest[] {
  return testsOf<UnreadVector>(file, "unread", ({ text, expects }) => {
    const { message } = throwsCode("key", () => parsePrivateKey(text));
    for (const words of expects) ok(message.includes(words), `expected "${words}" in "${message}"`);
  });
}
