/** The login method `none`, RFC 4252 section 5.2. @module */
import { UserauthRequest } from "@postern/wire";
import { type AuthMethod, CONNECTION_SERVICE } from "../dialog.ts";

/**
 * Logs in without credentials. Services that identify their users otherwise, or not at all, accept this.
 *
 * @example
 * const auth = [none()];
 */
export function none(): AuthMethod {
  const name = "none";
  return {
    name,
    oneRequest: true,
    unlisted: true,
    begin: ({ user }) => ({
      next(answer) {
        if (answer !== undefined) return undefined;
        const specificData = new Uint8Array(0);
        return UserauthRequest.encode({ user, service: CONNECTION_SERVICE, method: name, specificData });
      },
    }),
  };
}
