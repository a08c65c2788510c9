/** Private keys by type, and the primitive that computes their public keys. @module */
import type { NistCurve, RsaPublicKey } from "@postern/crypto";
import type { Bytes } from "@postern/wire";

interface KeyPair {
  /** the public key blob (RFC 4253 section 6.6) */
  readonly publicKey: Bytes;
  readonly comment: string;
}

/** An Ed25519 key (RFC 8709). `seed` is the private key of RFC 8032 section 5.1.5. */
export interface Ed25519PrivateKey extends KeyPair {
  readonly type: "ssh-ed25519";
  readonly point: Bytes;
  readonly seed: Bytes;
}

/** An ECDSA key (RFC 5656): an uncompressed point, and a scalar of the curve's size. */
export interface EcdsaPrivateKey extends KeyPair {
  readonly type: `ecdsa-sha2-${NistCurve["name"]}`;
  readonly curve: NistCurve;
  readonly point: Bytes;
  readonly scalar: Bytes;
}

/** An RSA key (RFC 8017 section 3.2): unsigned big-endian integers without leading zeros. */
export interface RsaPrivateKey extends KeyPair, RsaPublicKey {
  readonly type: "ssh-rsa";
  readonly privateExponent: Bytes;
  readonly prime1: Bytes;
  readonly prime2: Bytes;
  /** the inverse of prime2 modulo prime1 */
  readonly coefficient: Bytes;
}

/** A private key, its components as bytes. It contains secrets: do not log it. */
export type PrivateKey = Ed25519PrivateKey | EcdsaPrivateKey | RsaPrivateKey;

/** Computes public keys from private ones. A provider implements it. */
export interface PublicHalf {
  /** Returns the public key of a seed of 32 bytes (RFC 8032 section 5.1.5). */
  ed25519(seed: Bytes): Bytes;
  /** Returns the uncompressed point (SEC 1 section 2.3.3) of a private scalar that is in range. */
  ecdsa(curve: NistCurve, scalar: Bytes): Bytes;
}

/** A passphrase, or a function that asks for it. The function is called only if the key is encrypted. */
export type Passphrase = string | (() => string | Promise<string>);
