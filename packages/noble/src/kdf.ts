/** scrypt and Argon2id in pure JavaScript. @module */
import { argon2idAsync } from "@noble/hashes/argon2.js";
import { scryptAsync } from "@noble/hashes/scrypt.js";
import type { Argon2Cost, ScryptCost } from "@postern/crypto";
import type { Bytes } from "@postern/wire";

/** Derives `size` bytes with scrypt. Yields to the event loop every 10 ms. */
export function scrypt(password: Bytes, salt: Bytes, cost: ScryptCost, size: number): Promise<Bytes> {
  return scryptAsync(password, salt, { N: cost.n, r: cost.r, p: cost.p, dkLen: size });
}

/** Derives `size` bytes with Argon2id version 1.3. Yields to the event loop every 10 ms. */
export function argon2id(password: Bytes, salt: Bytes, cost: Argon2Cost, size: number): Promise<Bytes> {
  return argon2idAsync(password, salt, { m: cost.m, t: cost.t, p: cost.p, dkLen: size });
}
