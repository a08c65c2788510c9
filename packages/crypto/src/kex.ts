/** What a key exchange is: the shape of a KEM, for Diffie-Hellman and post-quantum hybrids alike. @module */
import type { Bytes } from "@postern/wire";
import type { Random } from "./random.ts";

/** A hash function, synchronous. */
export interface Hash {
  readonly name: string;
  /** bytes of a digest */
  readonly size: number;
  digest(data: Bytes): Bytes;
}

/**
 * A key exchange method (RFC 5656 section 4, RFC 8731) as a value.
 * `secret` is K exactly as it is hashed: an encoded mpint, or an encoded string for the hybrids with ML-KEM.
 */
export interface KexMethod {
  readonly name: string;
  readonly hash: Hash;
  /**
   * The client's half: its public value, and what finishes with the server's. `finish` throws SshError `kex`. `discard` forgets the private key of
   * an exchange that does not get that far.
   */
  start(random: Random): { readonly clientPublic: Bytes; finish(serverPublic: Bytes): Bytes; discard(): void };
  /** The server's half. @throws SshError `kex` when the client's public value is unfit */
  respond(clientPublic: Bytes, random: Random): { readonly serverPublic: Bytes; readonly secret: Bytes };
}
