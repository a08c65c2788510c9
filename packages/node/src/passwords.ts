/** The password policy of a TunnelHost, hashed with `node:crypto`. @module */
import { scrypt } from "node:crypto";
import type { ScryptCost } from "@postern/crypto";
import {
  type Authorize,
  createHashPassword,
  createPolicy,
  type HashPassword,
  type PasswordFunctions,
  type UserPolicy,
} from "@postern/host";
import type { Bytes } from "@postern/wire";
import { sha256 } from "./algorithms.ts";

const functions: PasswordFunctions = {
  sha256,
  async scrypt(password, salt, cost, size) {
    try {
      return await nativeScrypt(password, salt, cost, size);
    } catch {
      // OpenSSL limits the cost, and some platforms lack scrypt.
      const noble = await import("@postern/noble");
      return noble.scrypt(password, salt, cost, size);
    }
  },
  // node:crypto lacks Argon2 before Node.js 24.
  async argon2id(password, salt, cost, size) {
    const noble = await import("@postern/noble");
    return noble.argon2id(password, salt, cost, size);
  },
};

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

/**
 * Hashes a password for a policy: `$scrypt$ln=16,r=8,p=2$salt$hash`.
 *
 * @example
 * const authorize = policy({ test: { password: await hashPassword("secret") } });
 */
export const hashPassword: HashPassword = /* @__PURE__ */ createHashPassword(functions);

/**
 * Creates a policy from a table of users. Passwords are accepted by the methods `password` and `keyboard-interactive`.
 * Refusing an unknown user takes as long as refusing a wrong password. The options of a key only restrict the user's
 * permissions: `permitopen` has no effect for a user without `permitOpen`.
 *
 * @throws SshError `misuse` for an unknown option, a user without a way to log in, a malformed hash, pattern or key
 *   file
 * @example
 * const authorize = policy({ test: { password: "secret", permitListen: ["localhost:*"] } });
 */
export const policy: (users: Readonly<Record<string, UserPolicy>>) => Authorize =
  /* @__PURE__ */ createPolicy(functions);
