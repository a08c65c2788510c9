/** Key exchange methods and what they need: a hash function and randomness. @module */
import type { Bytes } from "@postern/wire";

/** Returns `size` fresh random bytes, which the caller owns. */
export type Random = (size: number) => Bytes;

/** The random source of Web Crypto, which every supported runtime has. */
export const webRandom: Random = (size) => crypto.getRandomValues(new Uint8Array(size));

/** A synchronous hash function. */
export interface Hash {
  readonly name: string;
  /** bytes of a digest */
  readonly size: number;
  digest(data: Bytes): Bytes;
}

/**
 * A key exchange method (RFC 5656 section 4, RFC 8731), in the form of a key encapsulation mechanism.
 * The secret is K as it is hashed: an encoded mpint, or an encoded string for hybrids with ML-KEM.
 */
export interface KexMethod {
  readonly name: string;
  readonly hash: Hash;
  /** whether a quantum computer that decrypts recorded connections would have to break more than elliptic curves */
  readonly isPostQuantum?: true;
  /**
   * Starts the client's side. `finish` returns the secret, or throws SshError `kex`. `discard` overwrites the private
   * key of an exchange that does not finish.
   */
  start(random: Random): { readonly clientPublic: Bytes; finish(serverPublic: Bytes): Bytes; discard(): void };
  /** Computes the server's side. @throws SshError `kex` if the client's public value is invalid */
  respond(clientPublic: Bytes, random: Random): { readonly serverPublic: Bytes; readonly secret: Bytes };
  /** RFC 4419: the group comes first. `start` and `respond` are then those of the method for that group. */
  readonly groupExchange?: GroupExchange;
  /**
   * Of a method whose group was exchanged: the bytes that are hashed before its public values. Its messages have the
   * numbers 32 and 33 instead of 30 and 31 (RFC 4419 section 5).
   */
  readonly hashed?: Bytes;
}

/** The messages by which client and server agree on a group (RFC 4419 section 3). */
export interface GroupExchange {
  /** the client's request */
  readonly request: Bytes;
  /** Reads the server's group, and returns the method for it. @throws SshError `kex` if the group is unsafe */
  accept(payload: Bytes): KexMethod;
  /** Reads the client's request. @throws SshError `kex` if no group fits */
  choose(payload: Bytes): { readonly method: KexMethod; readonly answer: Bytes };
}
