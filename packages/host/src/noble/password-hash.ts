/** Hashing passwords in pure JavaScript. @module */
import { argon2id, scrypt, sha256 } from "@postern/crypto";
import { type HashPassword, hashPasswordWith, type PasswordFunctions } from "../password-hash.ts";

export const noblePasswordFunctions: PasswordFunctions = { sha256, scrypt, argon2id };

/**
 * Hashes a password for a policy: `$scrypt$ln=16,r=8,p=2$salt$hash`.
 *
 * @example
 * const authorize = policy({ test: { password: await hashPassword("secret") } });
 */
export const hashPassword: HashPassword = /* @__PURE__ */ hashPasswordWith(noblePasswordFunctions);
