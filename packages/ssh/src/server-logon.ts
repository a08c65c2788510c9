/** The server's side of a logon, for a session. @module */
import { AuthServerMachine } from "@postern/auth";
import type { PublicKeyAlgorithm } from "@postern/crypto";
import type { ServerLogon } from "./session-machine.ts";

/** What the server's logon needs. */
export interface ServerLogonOptions {
  /** names of the methods offered */
  readonly methods: readonly string[];
  /** of the keys users may log on with */
  readonly algorithms: readonly PublicKeyAlgorithm[];
  readonly banner: string | undefined;
  readonly attempts?: number | undefined;
}

/** The logon of a session in the role of a server. */
export function serverLogon(options: ServerLogonOptions): ServerLogon {
  return (sink) => new AuthServerMachine({ sink, ...options });
}
