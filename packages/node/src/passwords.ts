/** The password policy of a TunnelHost, hashed with `node:crypto`. @module */
import {
  type Authorize,
  createHashPassword,
  createPolicy,
  type HashPassword,
  type PasswordFunctions,
  type UserPolicy,
} from "@postern/host";
import { sha256 } from "./algorithms.ts";
import { nativeScrypt } from "./scrypt.ts";

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
