/** Checks of the key file vectors, which ssh-keygen wrote. Runs in every runtime. @module */
import type { Hash, PublicKeyAlgorithm, Signer } from "@postern/crypto";
import { formatPublicKey, loadKeyFiles, type ReadPrivateKeyOptions } from "@postern/keys";
import { parsePrivateKey, readPrivateKey, sha256Fingerprint } from "@postern/noble";
import { type Bytes, fromHex, Reader, SshError, toHex } from "@postern/wire";
import { equal, ok, testsOf, type Vector, type VectorFile, type VectorTest } from "./vector-checks.ts";

export interface KeyVector extends Vector {
  readonly privateKey: string;
  readonly publicLine: string;
  readonly fingerprint: string;
  readonly bits: number;
  readonly data: string;
  /** The signature of `data` by OpenSSH. */
  readonly signature: string;
}

/** A file in a format that `readPrivateKey` reads. */
export interface KeyFileVector extends Vector {
  readonly text?: string;
  /** The bytes of a binary file. */
  readonly bytes?: string;
  readonly passphrase?: string;
  /** Type and base64, without a comment. */
  readonly publicLine: string;
}

/** A file that `readPrivateKey` rejects with the error code `error`. */
export interface UnreadVector extends Omit<KeyFileVector, "publicLine" | "error"> {
  readonly error: string;
  readonly expects: readonly string[];
}

export interface BcryptVector extends Vector {
  readonly passphrase: string;
  readonly salt: string;
  readonly rounds: number;
  readonly size: number;
  readonly derived: string;
}

/** The parts of a provider that the tests of key files call. */
export interface KeyFileProvider {
  readPrivateKey(file: string | Bytes, options?: ReadPrivateKeyOptions): Promise<Signer>;
  readonly algorithms: readonly PublicKeyAlgorithm[];
  readonly sha512: Hash;
  /** Whether it reads PEM files that are encrypted by DES-EDE3-CBC. */
  readonly hasTripleDes?: boolean;
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

/** Reads each file, asks for the passphrase only if there is one, and verifies a signature with the public key. */
export function keyFileTests(file: VectorFile, provider: KeyFileProvider): VectorTest[] {
  return testsOf<KeyFileVector>(file, file.algorithm, async (vector) => {
    if (file.algorithm === "file-pem-3des" && provider.hasTripleDes !== true) {
      const { message } = await rejectsCode("unsupported", provider.readPrivateKey(contentOf(vector)));
      ok(/DES-EDE3-CBC.*ssh-keygen -p -f FILE/.test(message), message);
      return;
    }
    let asked = 0;
    const passphrase = () => {
      asked++;
      return Promise.resolve(vector.passphrase ?? "");
    };
    const signer = await provider.readPrivateKey(contentOf(vector), { passphrase });
    equal(asked, vector.passphrase === undefined ? 0 : 1);
    equal(formatPublicKey(signer.publicKey), vector.publicLine);
    const data = fromHex("0123456789abcdef");
    const [name = ""] = signer.algorithms;
    const algorithm = provider.algorithms.find((one) => one.name === name);
    ok(algorithm, `expected the algorithm ${name}`);
    equal(await algorithm.verify(signer.publicKey, data, await signer.sign(data, name)), true);
    if (vector.passphrase === undefined) return;
    await rejectsCode("passphrase", provider.readPrivateKey(contentOf(vector)));
    await rejectsCode(
      "passphrase",
      provider.readPrivateKey(contentOf(vector), { passphrase: `${vector.passphrase}x` }),
    );
  });
}

/** Checks that each file is rejected, with an error that contains the expected words. */
export function unreadTests(file: VectorFile, provider: KeyFileProvider): VectorTest[] {
  return testsOf<UnreadVector>(file, "unread", async (vector) => {
    const { error, expects, passphrase } = vector;
    const { message } = await rejectsCode(error, provider.readPrivateKey(contentOf(vector), { passphrase }));
    for (const words of expects) ok(message.includes(words), `expected "${words}" in "${message}"`);
  });
}

export function bcryptTests(file: VectorFile, { sha512 }: KeyFileProvider): VectorTest[] {
  return testsOf<BcryptVector>(file, "bcrypt-pbkdf", async ({ passphrase, salt, rounds, size, derived }) => {
    const { bcryptPbkdf } = await loadKeyFiles();
    const digest = (data: Bytes) => sha512.digest(data);
    equal(toHex(await bcryptPbkdf(digest, fromHex(passphrase), fromHex(salt), rounds, size)), derived);
  });
}

/** The files of `test-vectors/keys` that a provider runs with its own `readPrivateKey`. */
export const keyFileFamilies = [
  "file-openssh",
  "file-pkcs8",
  "file-pkcs8-encrypted",
  "file-pem",
  "file-pem-3des",
  "file-ppk",
  "file-pkcs12",
  "file-jwk",
  "bcrypt-pbkdf",
  "unread",
] as const;

/** The tests of a file of `test-vectors/keys`. */
export function testsOfKeys(file: VectorFile, provider: KeyFileProvider): VectorTest[] {
  if (file.algorithm === "unread") return unreadTests(file, provider);
  if (file.algorithm === "bcrypt-pbkdf") return bcryptTests(file, provider);
  return file.algorithm.startsWith("file-") ? keyFileTests(file, provider) : keyTests(file, provider.algorithms);
}

export function contentOf({ text, bytes = "" }: Pick<KeyFileVector, "text" | "bytes">): string | Bytes {
  return text ?? fromHex(bytes);
}

async function rejectsCode(code: string, promise: Promise<unknown>): Promise<SshError> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  ok(error instanceof SshError, `expected an SshError, got ${String(error)}`);
  equal(error.code, code);
  return error;
}
