/** The ready-made policy, its passwords hashed in pure JavaScript. @module */
import { type Authorize, policyWith, type UserPolicy } from "../policy.ts";
import { noblePasswordFunctions } from "./password-hash.ts";

/**
 * A policy from a table of users. Passwords are taken by the methods `password` and `keyboard-interactive`; an unknown user takes
 * as long as a wrong password. A key may do what its user may, as far as its line does not take that away: `permitopen` permits nothing
 * to a user without `permitOpen`.
 *
 * @throws SshError `misuse` for an option that is not known, a user without a way to log on, a malformed hash, pattern or key file
 * @example
 * const authorize = policy({ test: { password: "secret", permitListen: ["localhost:*"] } });
 */
export const policy: (users: Readonly<Record<string, UserPolicy>>) => Authorize =
  /* @__PURE__ */ policyWith(noblePasswordFunctions);
