/** Public key algorithms (RFC 4253 section 6.6): they verify host keys and user keys alike. @module */
import type { Bytes } from "@postern/wire";

/** A public key algorithm as a value. */
export interface PublicKeyAlgorithm {
  /** the signature algorithm that is negotiated, such as `rsa-sha2-512` */
  readonly name: string;
  /** the name inside the public key blob, such as `ssh-rsa` */
  readonly keyType: string;
  /**
   * Whether `signature` (the blob `string algorithm || string bytes`) is one of `data` by `publicKey` (the blob), made with this very algorithm.
   * @throws SshError `key` when the public key blob is malformed or of another type
   */
  verify(publicKey: Bytes, data: Bytes, signature: Bytes): boolean;
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
