/** Floor 4: the end of a reverse tunnel that listens. @module */
export { hashPassword } from "./noble/password-hash.ts";
export { policy } from "./noble/policy.ts";
export * from "./platform-entry.ts";
