/** Public key algorithms (RFC 4253 section 6.6), for host keys and user keys, and signers. @module */
import { type Bytes, SshError } from "@postern/wire";

/**
 * Whether a signature is valid. A platform with asynchronous cryptography, such as WebCrypto, returns a promise.
 * A promise is truthy, so compare with `true`, or use {@link verifyNow}.
 */
export type Verdict = boolean | PromiseLike<boolean>;

/** A public key algorithm. */
export interface PublicKeyAlgorithm {
  /** the negotiated name of the signature algorithm, such as `rsa-sha2-512` */
  readonly name: string;
  /** the name in the public key blob, such as `ssh-rsa` */
  readonly keyType: string;
  /**
   * Verifies a signature blob, `string algorithm || string bytes`, of `data` by the key of a public key blob. A
   * signature with another algorithm is not valid.
   * @throws SshError `key`, synchronously, if the public key blob is malformed or of another type
   */
  verify(publicKey: Bytes, data: Bytes, signature: Bytes): Verdict;
  /** Parses the certificate in the blob. Only algorithms of certificates have it. @throws SshError `key` */
  readonly readCertificate?: (publicKey: Bytes) => Certificate;
  /** Reads the use of a security key from a valid signature. Only algorithms of security keys have it. */
  readonly readKeyUse?: (signature: Bytes) => SecurityKeyUse;
  /** the algorithm that this one is built on, and a function that builds it on another implementation of that */
  readonly base?: {
    readonly algorithm: PublicKeyAlgorithm;
    readonly rebuild: (algorithm: PublicKeyAlgorithm) => PublicKeyAlgorithm;
  };
}

/** The use of a security key, which is a part of its signature (OpenSSH PROTOCOL.u2f, SSH U2F signatures). */
export interface SecurityKeyUse {
  /** whether its user touched it */
  readonly userPresent: boolean;
  /** whether it verified its user, such as by a PIN */
  readonly userVerified: boolean;
  /** number of signatures so far; 0 if the key does not count */
  readonly counter: number;
}

/** A parsed certificate (OpenSSH PROTOCOL.certkeys). Parsing checks neither its signature nor its conditions. */
export interface Certificate {
  readonly blob: Bytes;
  /** such as `ssh-ed25519-cert-v01@openssh.com` */
  readonly keyType: string;
  /** the blob of the certified key, of a plain type */
  readonly publicKey: Bytes;
  readonly serial: bigint;
  readonly type: "user" | "host";
  readonly keyId: string;
  /** names of users or hosts. With none, the certificate is not valid for any name. */
  readonly principals: readonly string[];
  /** seconds since 1970: the first second of validity, and the first after it */
  readonly validAfter: bigint;
  readonly validBefore: bigint;
  /** data by name, in the order of the certificate */
  readonly criticalOptions: ReadonlyMap<string, Bytes>;
  readonly extensions: ReadonlyMap<string, Bytes>;
  /** the CA's public key blob */
  readonly signatureKey: Bytes;
  /** the CA's signature blob, and the bytes that it signs */
  readonly signature: Bytes;
  readonly signed: Bytes;
}

/**
 * Verifies synchronously, as a server must for a user's key. No value except `true` counts as valid.
 * @throws SshError `misuse` if the algorithm is asynchronous, and the errors of its `verify`
 */
export function verifyNow(algorithm: PublicKeyAlgorithm, publicKey: Bytes, data: Bytes, signature: Bytes): boolean {
  const verdict: unknown = algorithm.verify(publicKey, data, signature);
  if (typeof verdict === "boolean") return verdict;
  // Prevents an unhandled rejection.
  Promise.resolve(verdict).catch(() => {});
  throw new SshError(
    "misuse",
    `expected ${algorithm.name} to verify synchronously, got an asynchronous algorithm, which only clients can use`,
  );
}

/** A signer: a key in memory, an agent, or a hardware token. */
export interface Signer {
  /** the public key blob (RFC 4253 section 6.6) */
  readonly publicKey: Bytes;
  /** the supported signature algorithms, best first */
  readonly algorithms: readonly string[];
  /** Returns the signature blob, `string algorithm || string bytes`. */
  sign(data: Bytes, algorithm: string): Bytes | Promise<Bytes>;
}
