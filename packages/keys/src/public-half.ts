/** The public half of a private key, which a platform computes. @module */
import type { NistCurve } from "@postern/crypto";
import type { Bytes } from "@postern/wire";

/** What reading and making private keys asks of a platform. */
export interface PublicHalf {
  /** The public key of a seed of 32 bytes (RFC 8032 section 5.1.5). */
  ed25519(seed: Bytes): Bytes;
  /** The uncompressed point (SEC 1 section 2.3.3) of a private scalar that is in range. */
  ecdsa(curve: NistCurve, scalar: Bytes): Bytes;
}
