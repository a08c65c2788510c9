/** The attempts of one client to log in. @module */
import type { AuthDecision } from "@postern/auth";
import type { Certificate, PublicKeyAlgorithm } from "@postern/crypto";
import { isCertificate, parseCertificate } from "@postern/keys";
import type { LoginAttempt } from "@postern/ssh";
import { type Bytes, maxTimerMs, quote, SshError } from "@postern/wire";
import * as Limits from "@postern/wire/limits";
import type { Offence } from "./admission.ts";
import { type Acceptance, type HostLoginAttempt, readDecision } from "./authorize.ts";
import type { HostClient } from "./client-view.ts";
import { RefusalEvent } from "./events.ts";
import type { HostContext } from "./host-context.ts";
import type { LoginDecider } from "./login-decider.ts";
import type { ProvedKey } from "./login-identity.ts";
import { expectPassword } from "./password-hash.ts";
import { type Grants, grantsOf, type Permissions, restrict } from "./permissions.ts";
import { verifyUserCertificate } from "./user-certificate.ts";

/** Passes the attempts of one client to `authorize`, and records what was accepted. */
export class ClientLogin implements LoginDecider {
  authorityKeys: readonly PublicKeyAlgorithm[] = [];
  accepted: { readonly method: string; readonly grants: Grants } | undefined;
  readonly keys: ProvedKey[] = [];
  readonly #client: HostClient;
  readonly #context: HostContext;
  /** Number of attempts so far. A late decision about an earlier one is ignored. */
  #attempts = 0;
  #failures = 0;
  /** Permissions of the partial successes; they restrict what the last method grants. */
  readonly #factors: Permissions[] = [];
  /** The number of the attempt whose password is being checked. */
  #passwordAttempt: number | undefined;

  constructor(client: HostClient, context: HostContext) {
    this.#client = client;
    this.#context = context;
  }

  async authenticate(attempt: LoginAttempt): Promise<AuthDecision> {
    const number = ++this.#attempts;
    let reason = "refused";
    const onRefused = (why: string): void => {
      reason = why;
    };
    try {
      expectUser(attempt.user);
      if (attempt.method === "password") expectPassword(attempt.password);
      const decision = readDecision(
        await this.#authorize({ ...(await this.#attemptForAuthorize(attempt, number)), onRefused }),
      );
      if (decision !== undefined) return this.#accept(attempt, decision, number);
    } catch (error) {
      reason = error instanceof Error ? error.message : String(error);
    } finally {
      if (this.#passwordAttempt === number) this.#passwordAttempt = undefined;
    }
    await this.#failed(attempt, reason);
    return false;
  }

  /** Returns the decision of `authorize`. If a reload replaced it meanwhile, asks the new one instead. */
  async #authorize(attempt: HostLoginAttempt): Promise<unknown> {
    const { authorize } = this.#context.options;
    const decision: unknown = await authorize(attempt);
    return authorize === this.#context.options.authorize ? decision : await this.#authorize(attempt);
  }

  /** The attempt as passed to `authorize`. Records that a password has come. Verifies a certificate. */
  async #attemptForAuthorize(attempt: LoginAttempt, number: number): Promise<HostLoginAttempt> {
    const client = this.#client;
    const { origin } = client;
    if (attempt.method === "publickey")
      return { ...attempt, client, origin, certificate: await this.#certificateOf(attempt) };
    if (attempt.method === "password") this.#passwordAttempt = number;
    if (attempt.method !== "keyboard-interactive") return { ...attempt, client, origin };
    const ask: typeof attempt.ask = async (request) => {
      this.#passwordAttempt = undefined;
      const answers = await attempt.ask(request);
      this.#passwordAttempt = number;
      return answers;
    };
    return { ...attempt, client, origin, ask };
  }

  /** @throws SshError `key` if the key is revoked, or its certificate is malformed or not signed by its CA */
  async #certificateOf({ publicKey }: { readonly publicKey: Bytes }): Promise<Certificate | undefined> {
    const { options, revocations } = this.#context;
    const certificate = isCertificate(publicKey) ? parseCertificate(publicKey) : undefined;
    const revoked = revocations.keyReason({ publicKey, certificate }) ?? options.revokedKeys?.reason(publicKey);
    if (revoked !== undefined) throw new SshError("key", `expected a key that is not revoked, but ${revoked}`);
    if (certificate !== undefined) await verifyUserCertificate(certificate, this.authorityKeys);
    return certificate;
  }

  #accept(attempt: LoginAttempt, { permissions, partial }: Acceptance, number: number): AuthDecision {
    // Checked last, so that a refusal takes as long as for a wrong password.
    const revoked = this.#context.revocations.userReason(attempt.user);
    if (revoked !== undefined) throw new SshError("auth", revoked);
    const noTouchRequired = permissions.noTouchRequired === true;
    if (attempt.method === "publickey" && attempt.securityKey?.userPresent === false && !noTouchRequired) {
      throw new SshError("key", "expected a touch of the security key, got a signature without it");
    }
    const whole = noTouchRequired ? { noTouchRequired } : true;
    const decision = partial === undefined ? whole : { partial, noTouchRequired };
    // An abandoned attempt does not count, and neither does a publickey query without a signature (RFC 4252 section 7).
    const isAbandoned = number !== this.#attempts || attempt.signal.aborted;
    if (isAbandoned || (attempt.method === "publickey" && !attempt.proved)) return decision;
    if (attempt.method === "publickey") {
      const { publicKey } = attempt;
      this.keys.push({ publicKey, certificate: isCertificate(publicKey) ? parseCertificate(publicKey) : undefined });
    }
    if (partial === undefined) {
      const grants = grantsOf(this.#factors.reduce(restrict, permissions));
      this.accepted = { method: attempt.method, grants };
    } else if (attempt.method !== "none") this.#factors.push(permissions);
    return decision;
  }

  async #failed(attempt: LoginAttempt, reason: string): Promise<void> {
    if (attempt.method === "none") return;
    this.#failures++;
    // Clients routinely query keys that they do not use, and a refused query reveals no secret.
    if (attempt.method === "publickey" && !attempt.proved) return;
    this.#context.counters.loginRefused(attempt.method);
    const text = `${attempt.method} of ${quote(attempt.user, 64)}: ${reason}`;
    this.#context.emit(new RefusalEvent("login", text, this.#client, this.#client.origin));
    const delay = this.#context.admission.failed(this.#client.origin?.host);
    if (delay > 0) await new Promise((resolve) => setTimeout(resolve, Math.min(delay, maxTimerMs)));
  }

  offence(error: SshError | undefined): Offence {
    if (this.#failures > 0) return "authFail";
    if (error?.code === "timeout") return "grace";
    // A client that disconnects while its password is being checked has guessed as well.
    return this.#passwordAttempt === undefined ? "noAuth" : "authFail";
  }
}

/** @throws SshError `limit` if the name is too long to be kept, logged and compared */
function expectUser({ length }: string): void {
  if (length <= Limits.addressCharacters) return;
  throw new SshError("limit", `expected a user name of at most ${Limits.addressCharacters} characters, got ${length}`);
}
