/** Functions that make passwords slow to guess: scrypt (RFC 7914) and Argon2id (RFC 9106). @module */
import { argon2idAsync } from "@noble/hashes/argon2.js";
import { scryptAsync } from "@noble/hashes/scrypt.js";
import type { Bytes } from "@postern/wire";

/** The cost of scrypt, in the letters of RFC 7914 section 2; `n` is a power of two. It takes 128 * n * r bytes of memory. */
export interface ScryptCost {
  readonly n: number;
  readonly r: number;
  readonly p: number;
}

/** The cost of Argon2id, in the letters of RFC 9106 section 3.1; `m` counts KiB of memory. */
export interface Argon2Cost {
  readonly m: number;
  readonly t: number;
  readonly p: number;
}

/** Derives `size` bytes with scrypt; gives way to other work every 10 ms. */
export function scrypt(password: Bytes, salt: Bytes, cost: ScryptCost, size: number): Promise<Bytes> {
  return scryptAsync(password, salt, { N: cost.n, r: cost.r, p: cost.p, dkLen: size });
}

/** Derives `size` bytes with Argon2id version 1.3; gives way to other work every 10 ms. */
export function argon2id(password: Bytes, salt: Bytes, cost: Argon2Cost, size: number): Promise<Bytes> {
  return argon2idAsync(password, salt, { m: cost.m, t: cost.t, p: cost.p, dkLen: size });
}
