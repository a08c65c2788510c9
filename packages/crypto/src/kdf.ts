/** What functions that make passwords slow to guess cost: scrypt (RFC 7914) and Argon2id (RFC 9106). @module */

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
