/** The server's side of a login, for a session. @module */
import { AuthServerMachine } from "@postern/auth";
import type { PublicKeyAlgorithm } from "@postern/crypto";
import type { ServerLogin } from "./session-machine.ts";

/** What the server's login needs. */
export interface ServerLoginOptions {
  /** names of the methods offered */
  readonly methods: readonly string[];
  /** of the keys users may log in with */
  readonly algorithms: readonly PublicKeyAlgorithm[];
  readonly banner: string | undefined;
  readonly attempts?: number | undefined;
}

/** The login of a session in the role of a server. */
export function serverLogin(options: ServerLoginOptions): ServerLogin {
  return (sink) => new AuthServerMachine({ sink, ...options });
}
