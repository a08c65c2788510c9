/** Public key algorithms (RFC 4253 section 6.6): they verify host keys and user keys alike. @module */
import { type Bytes, SshError } from "@postern/wire";

/**
 * Whether a signature is good. A platform whose cryptography is asynchronous, such as WebCrypto, gives a promise of it.
 * Only `true` is a yes: a promise is truthy, so compare, or use {@link verifyNow}.
 */
export type Verdict = boolean | PromiseLike<boolean>;

/** A public key algorithm as a value. */
export interface PublicKeyAlgorithm {
  /** the signature algorithm that is negotiated, such as `rsa-sha2-512` */
  readonly name: string;
  /** the name inside the public key blob, such as `ssh-rsa` */
  readonly keyType: string;
  /**
   * Whether `signature` (the blob `string algorithm || string bytes`) is one of `data` by `publicKey` (the blob), made with this very algorithm.
   * @throws SshError `key`, at once, when the public key blob is malformed or of another type
   */
  verify(publicKey: Bytes, data: Bytes, signature: Bytes): Verdict;
}

/**
 * Verifies where nobody can wait, such as a server that checks a user's key: whatever is no boolean is never taken for a yes.
 * @throws SshError `misuse` when the algorithm gives its verdict later; what its `verify` throws
 */
export function verifyNow(algorithm: PublicKeyAlgorithm, publicKey: Bytes, data: Bytes, signature: Bytes): boolean {
  const verdict: unknown = algorithm.verify(publicKey, data, signature);
  if (typeof verdict === "boolean") return verdict;
  // A promise that is not awaited must not become an unhandled rejection.
  Promise.resolve(verdict).catch(() => {});
  throw new SshError(
    "misuse",
    `expected a verdict of ${algorithm.name} at once, got one that comes later: it verifies host keys for a client alone`,
  );
}

/** Something that signs: a key in memory, an agent, a hardware token. */
export interface Signer {
  /** the public key blob, RFC 4253 section 6.6 */
  readonly publicKey: Bytes;
  /** the signature algorithms it can make, best first */
  readonly algorithms: readonly string[];
  /** The signature blob `string algorithm || string bytes`. */
  sign(data: Bytes, algorithm: string): Bytes | Promise<Bytes>;
}
