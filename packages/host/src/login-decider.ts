/** Decisions about logins, of this process or of the primary. @module */
import type { AuthDecision } from "@postern/auth";
import type { PublicKeyAlgorithm } from "@postern/crypto";
import type { LoginAttempt } from "@postern/ssh";
import type { SshError } from "@postern/wire";
import type { Offence } from "./admission.ts";
import type { ProvedKey } from "./login-identity.ts";
import type { ClientGrants } from "./permissions.ts";

/** Decides about the login attempts of one client. */
export interface LoginDecider {
  /** The algorithms of the keys of CAs, as this runtime supports them. */
  authorityKeys: readonly PublicKeyAlgorithm[];
  /** The method and permissions that were accepted. */
  readonly accepted: { readonly method: string; readonly grants: ClientGrants } | undefined;
  /** The keys of all successes, partial ones included. */
  readonly keys: readonly ProvedKey[];
  /** Decides about an attempt. Never rejects. */
  authenticate(attempt: LoginAttempt): Promise<AuthDecision>;
  /** The reason for a penalty, if the connection ended with an error before login. */
  offence(error: SshError | undefined): Offence;
}
