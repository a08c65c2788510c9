/** The login method `password`, RFC 4252 section 8. @module */
import {
  expectType,
  PasswordChange,
  PasswordRequest,
  SshError,
  sanitizeText,
  UserauthPasswdChangereq,
  UserauthRequest,
} from "@postern/wire";
import { type AuthMethod, CONNECTION_SERVICE, type MaybePromise } from "../dialog.ts";

/** Options of {@link password}. */
export interface PasswordOptions {
  /** Returns the new password if the server requires a change. Without it, an expired password is a failure. */
  readonly change?: (prompt: string) => MaybePromise<string>;
}

/**
 * Logs in with a password. A function is called when the password is needed, and returns it.
 *
 * @throws SshError `misuse` for values of other types, such as a promise. If the function returns one, the method
 *   fails.
 * @example
 * const auth = [password("secret")];
 */
export function password(secret: string | (() => MaybePromise<string>), options: PasswordOptions = {}): AuthMethod {
  if (typeof secret !== "function") expectType("a password", secret, "string");
  expectType("the options of password", options, "object");
  if (options.change !== undefined) expectType("change", options.change, "function");
  return {
    name: "password",
    begin({ user }) {
      const request = (specificData: Uint8Array): Uint8Array =>
        UserauthRequest.encode({ user, service: CONNECTION_SERVICE, method: "password", specificData });
      const current = (): MaybePromise<string> => (typeof secret === "string" ? secret : secret());
      const first = (value: string): Uint8Array =>
        request(PasswordRequest.encode({ isChange: false, password: expectPassword(value) }));
      return {
        next(answer) {
          if (answer !== undefined) return change(answer);
          const value = current();
          return typeof value === "string" ? first(value) : Promise.resolve(value).then(first);
        },
      };
      async function change(answer: Uint8Array): Promise<Uint8Array> {
        const { prompt } = UserauthPasswdChangereq.decode(answer);
        if (options.change === undefined)
          throw new SshError("auth", "the server requires a new password: set the option `change`");
        const newPassword = expectPassword(await options.change(sanitizeText(prompt, true)));
        const oldPassword = expectPassword(await current());
        return request(PasswordChange.encode({ isChange: true, oldPassword, newPassword }));
      }
    },
  };
}

/** Checks the type, because the encoder would turn any value into a password, such as "null". */
function expectPassword(value: string): string {
  expectType("a password", value, "string");
  return value;
}
