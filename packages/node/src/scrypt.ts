/** scrypt (RFC 7914) with `node:crypto`. @module */
import { scrypt } from "node:crypto";
import type { ScryptCost } from "@postern/crypto";
import type { Bytes } from "@postern/wire";

/** Derives bytes with scrypt. Rejects if OpenSSL limits the cost. */
export function nativeScrypt(password: Bytes, salt: Bytes, { n, r, p }: ScryptCost, size: number): Promise<Bytes> {
  // The memory of scrypt (RFC 7914 section 5), plus the overhead that OpenSSL counts.
  const maxmem = 128 * r * (n + p + 2) + 4096;
  return new Promise((resolve, reject) => {
    scrypt(password, salt, size, { N: n, r, p, maxmem }, (error, key) => {
      if (error) reject(error);
      else resolve(Uint8Array.from(key));
    });
  });
}
