/** Limits on the work that a key file can demand. @module */
import type { Argon2Cost, ScryptCost } from "@postern/crypto";
import { SshError } from "@postern/wire";

/** The highest accepted costs. With them, reading a file takes up to half a minute in JavaScript. */
export const KeyFileLimits = {
  /** `ssh-keygen -a`; the default is 16 or 24 */
  bcryptRounds: 1024,
  /** iterations of PBKDF2, and of the key derivation of PKCS #12 */
  pbkdf2Iterations: 5_000_000,
  pkcs12Iterations: 1_000_000,
  /** KiB of memory, and KiB times passes. puttygen uses 8192 KiB, and as many passes as fit in 100 ms. */
  argon2Memory: 262_144,
  argon2Work: 4_194_304,
  argon2Lanes: 16,
  /** 128 * n * r and 128 * r * p bytes of memory, and 128 * n * r * p bytes of work. OpenSSL uses 16 MiB. */
  scryptMemory: 268_435_456,
  scryptWork: 1_073_741_824,
} as const;

/** @throws SshError `limit` unless 1 <= value <= limit */
export function checkCost(name: string, value: number, limit: number): void {
  if (Number.isSafeInteger(value) && value >= 1 && value <= limit) return;
  throw new SshError("limit", `expected a key file with 1 to ${limit} ${name}, got ${value}`);
}

export function checkScryptCost({ n, r, p }: ScryptCost): void {
  const { scryptMemory, scryptWork } = KeyFileLimits;
  checkCost("bytes of scrypt memory (128 * n * r)", 128 * n * r, scryptMemory);
  checkCost("bytes of scrypt lanes (128 * r * p)", 128 * r * p, scryptMemory);
  checkCost("bytes of scrypt work (128 * n * r * p)", 128 * n * r * p, scryptWork);
  // RFC 7914 section 2: n is a power of two between 1 and 2^(128 * r / 8). It fits in 32 bits because of the checks
  // above.
  if (n > 1 && (n & (n - 1)) === 0 && n < 2 ** (16 * r)) return;
  throw new SshError("key", "expected a power of two below 2^(16 * r) as the scrypt cost, got another number");
}

export function checkArgon2Cost({ m, t, p }: Argon2Cost): void {
  const { argon2Lanes, argon2Memory, argon2Work } = KeyFileLimits;
  checkCost("Argon2 lanes", p, argon2Lanes);
  checkCost("KiB of Argon2 memory", m, argon2Memory);
  checkCost("KiB of Argon2 memory times passes", m * t, argon2Work);
  // RFC 9106 section 3.1
  if (m < 8 * p) throw new SshError("key", "expected 8 KiB of Argon2 memory or more for each lane, got less");
}
