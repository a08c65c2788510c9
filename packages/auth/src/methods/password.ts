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
  /**
   * Returns the new password if the server requires a change (RFC 4252 section 8). Called again if the server rejects
   * the new one. Without it, an expired password is a failure. `language` is a tag of RFC 3066, mostly empty.
   */
  readonly onChange?: (prompt: string, language: string) => MaybePromise<string>;
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
  if (options.onChange !== undefined) expectType("onChange", options.onChange, "function");
  return {
    name: "password",
    begin({ user }) {
      const request = (specificData: Uint8Array): Uint8Array =>
        UserauthRequest.encode({ user, service: CONNECTION_SERVICE, method: "password", specificData });
      let oldPassword = "";
      const first = (value: string): Uint8Array => {
        oldPassword = expectPassword(value);
        return request(PasswordRequest.encode({ isChange: false, password: value }));
      };
      return {
        next(answer) {
          if (answer !== undefined) return change(answer);
          const value = typeof secret === "string" ? secret : secret();
          return typeof value === "string" ? first(value) : Promise.resolve(value).then(first);
        },
      };
      async function change(answer: Uint8Array): Promise<Uint8Array> {
        const { prompt, language } = UserauthPasswdChangereq.decode(answer);
        if (options.onChange === undefined)
          throw new SshError("auth", "the server requires a new password: set the option `onChange`");
        const newPassword = expectPassword(await options.onChange(sanitizeText(prompt, true), sanitizeText(language)));
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
