/** Cost parameters of password hashing: scrypt (RFC 7914) and Argon2id (RFC 9106). @module */

/** The cost of scrypt (RFC 7914 section 2). `n` is a power of two. scrypt uses 128 * n * r bytes of memory. */
export interface ScryptCost {
  readonly n: number;
  readonly r: number;
  readonly p: number;
}

/** The cost of Argon2id (RFC 9106 section 3.1). `m` is the memory in KiB. */
export interface Argon2Cost {
  readonly m: number;
  readonly t: number;
  readonly p: number;
}
