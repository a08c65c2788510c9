/** One client, from its first byte to the end of its connection. @module */
import type { AuthDecision } from "@postern/auth";
import type { Certificate, PublicKeyAlgorithm } from "@postern/crypto";
import { isCertificate, parseCertificate } from "@postern/keys";
import { accept, type BytePipe, type LoginAttempt, type PeerInfo, type SshConnection } from "@postern/ssh";
import { type Bytes, DisconnectReason, maxTimerMs, quote, SshError, sanitizeText, toSshError } from "@postern/wire";
import type { Offence } from "./admission.ts";
import { type Acceptance, type HostLoginAttempt, readDecision } from "./authorize.ts";
import { ClientRequests } from "./client-requests.ts";
import type { HostClient, HostContext, HostForwarding } from "./client-view.ts";
import { countingPipe, type Traffic } from "./counting-pipe.ts";
import { LoginEvent, RefusalEvent } from "./events.ts";
import { announceHostKeys } from "./host-keys.ts";
import { expectPassword } from "./password-hash.ts";
import { type Grants, grantsOf, type Permissions, restrict } from "./permissions.ts";
import type { Address } from "./platform.ts";
import { verifyUserCertificate } from "./user-certificate.ts";

/** The implementation of {@link HostClient}. */
export class Client implements HostClient {
  readonly id: number;
  readonly origin: Address | undefined;
  readonly since: Date = new Date();
  readonly #context: HostContext;
  readonly #traffic: Traffic = { bytesIn: 0, bytesOut: 0 };
  readonly #abort = new AbortController();
  readonly #requests: ClientRequests;
  /** the algorithms of user keys and CAs, as this runtime supports them */
  #userKeys: readonly PublicKeyAlgorithm[] = [];
  #connection: SshConnection | undefined;
  /** Number of attempts so far. A late decision about an earlier one is ignored. */
  #attempts = 0;
  #login: { readonly method: string; readonly grants: Grants } | undefined;
  #failures = 0;
  /** Permissions of the partial successes; they restrict what the last method grants. */
  readonly #factors: Permissions[] = [];
  /** The number of the attempt whose password is being checked. */
  #passwordAttempt: number | undefined;

  constructor(id: number, origin: Address | undefined, context: HostContext) {
    this.id = id;
    this.origin = origin;
    this.#context = context;
    this.#requests = new ClientRequests(this, context, () => this.#login?.grants);
  }

  get user(): string | undefined {
    return this.#connection && sanitizeText(this.#connection.user);
  }

  get version(): string {
    return this.#connection?.peer.version ?? "";
  }

  get peer(): PeerInfo | undefined {
    return this.#connection?.peer;
  }

  get bytesIn(): number {
    return this.#traffic.bytesIn;
  }

  get bytesOut(): number {
    return this.#traffic.bytesOut;
  }

  get forwardings(): readonly HostForwarding[] {
    return this.#requests.forwardings;
  }

  get channels(): number {
    return this.#requests.channels;
  }

  /** Resolves when the connection has ended, with the reason unless the client simply left. Never rejects. */
  async run(pipe: BytePipe): Promise<SshError | undefined> {
    const { admission } = this.#context;
    let error: SshError | undefined;
    try {
      const connection = await this.#serve(countingPipe(pipe, { traffic: this.#traffic }));
      await connection.closed;
    } catch (cause) {
      error = toSshError(cause, "closed", "the connection failed");
    }
    if (this.#connection === undefined) {
      admission.startupEnded();
      const offence = this.#offence(error);
      if (offence !== undefined) admission.punish(this.origin?.host, offence);
    }
    await this.#requests.end();
    // RFC 4253 section 11.1: the client left on its own.
    const hasLeft = error?.code === "disconnected" && error.reason === DisconnectReason.BY_APPLICATION;
    return hasLeft ? undefined : error;
  }

  async close(): Promise<void> {
    if (this.#connection === undefined) this.#abort.abort(new SshError("closed", "the server closed the connection"));
    else await this.#connection.close();
  }

  /** Accepts no new requests. Closes the connection once all channels have ended, or after `drainMs`. */
  async drain(drainMs: number): Promise<void> {
    if (this.#connection !== undefined) {
      let timer: ReturnType<typeof setTimeout> | undefined;
      const timeout = new Promise<void>((resolve) => {
        if (drainMs !== Number.POSITIVE_INFINITY) timer = setTimeout(resolve, Math.min(drainMs, maxTimerMs));
      });
      const closed = this.#connection.closed.catch(() => {});
      await Promise.race([this.#requests.drain(), timeout, closed]);
      clearTimeout(timer);
    }
    await this.close();
  }

  async #serve(pipe: BytePipe): Promise<SshConnection> {
    const { options, platform } = this.#context;
    const { limits, hostKeys, rekey, keepAlive, methods, banner } = options;
    const algorithms = platform.prepare === undefined ? options.algorithms : await platform.prepare(options.algorithms);
    this.#userKeys = algorithms.hostKeys;
    return await accept(pipe, {
      hostKeys,
      algorithms,
      rekey,
      keepAlive,
      methods,
      random: platform.random,
      attempts: limits.attempts,
      loginTimeoutMs: limits.loginTimeoutMs,
      signal: this.#abort.signal,
      authenticate: (attempt) => this.#authenticate(attempt),
      onLogin: (connection) => this.#loggedIn(connection),
      onChannelOpen: (open) => this.#requests.channelOpen(open),
      onGlobalRequest: (request, connection) => this.#requests.globalRequest(request, connection),
      ...(banner === undefined ? {} : { banner }),
    });
  }

  /** Runs before any request of the client, so that a `login` listener can prepare for the client or disconnect it. */
  #loggedIn(connection: SshConnection): void {
    this.#context.admission.startupEnded();
    this.#connection = connection;
    this.#context.emit(new LoginEvent(this, sanitizeText(connection.user), this.#login?.method ?? ""));
    announceHostKeys(connection, this.#context.options.hostKeys);
  }

  async #authenticate(attempt: LoginAttempt): Promise<AuthDecision> {
    const number = ++this.#attempts;
    let reason = "refused";
    const onRefused = (why: string): void => {
      reason = why;
    };
    try {
      if (attempt.method === "password") expectPassword(attempt.password);
      const { authorize } = this.#context.options;
      const decision = readDecision(
        await authorize({ ...(await this.#attemptForAuthorize(attempt, number)), onRefused }),
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

  /** The attempt as passed to `authorize`. Records that a password has come. Verifies a certificate. */
  async #attemptForAuthorize(attempt: LoginAttempt, number: number): Promise<HostLoginAttempt> {
    const { origin } = this;
    if (attempt.method === "publickey") return { ...attempt, origin, certificate: await this.#certificateOf(attempt) };
    if (attempt.method === "password") this.#passwordAttempt = number;
    if (attempt.method !== "keyboard-interactive") return { ...attempt, origin };
    const ask: typeof attempt.ask = async (request) => {
      this.#passwordAttempt = undefined;
      const answers = await attempt.ask(request);
      this.#passwordAttempt = number;
      return answers;
    };
    return { ...attempt, origin, ask };
  }

  /** @throws SshError `key` if the key is revoked, or its certificate is malformed or not signed by its CA */
  async #certificateOf({ publicKey }: { readonly publicKey: Bytes }): Promise<Certificate | undefined> {
    const { revokedKeys } = this.#context.options;
    const certificate = isCertificate(publicKey) ? parseCertificate(publicKey) : undefined;
    const revoked = revokedKeys?.reason(publicKey);
    if (revoked !== undefined) throw new SshError("key", `expected a key that is not revoked, but ${revoked}`);
    if (certificate !== undefined) await verifyUserCertificate(certificate, this.#userKeys);
    return certificate;
  }

  #accept(attempt: LoginAttempt, { permissions, partial }: Acceptance, number: number): AuthDecision {
    const noTouchRequired = permissions.noTouchRequired === true;
    if (attempt.method === "publickey" && attempt.securityKey?.userPresent === false && !noTouchRequired) {
      throw new SshError("key", "expected a touch of the security key, got a signature without it");
    }
    const whole = noTouchRequired ? { noTouchRequired } : true;
    const decision = partial === undefined ? whole : { partial, noTouchRequired };
    // An abandoned attempt does not count, and neither does a publickey query without a signature (RFC 4252 section 7).
    const isAbandoned = number !== this.#attempts || attempt.signal.aborted;
    if (isAbandoned || (attempt.method === "publickey" && !attempt.proved)) return decision;
    if (partial === undefined) {
      const grants = grantsOf(this.#factors.reduce(restrict, permissions));
      this.#login = { method: attempt.method, grants };
    } else if (attempt.method !== "none") this.#factors.push(permissions);
    return decision;
  }

  async #failed(attempt: LoginAttempt, reason: string): Promise<void> {
    if (attempt.method === "none") return;
    this.#failures++;
    // Clients routinely query keys that they do not use, and a refused query reveals no secret.
    if (attempt.method === "publickey" && !attempt.proved) return;
    const text = `${attempt.method} of ${quote(attempt.user, 64)}: ${reason}`;
    this.#context.emit(new RefusalEvent("login", text, this, this.origin));
    const delay = this.#context.admission.failed(this.origin?.host);
    if (delay > 0) await new Promise((resolve) => setTimeout(resolve, Math.min(delay, maxTimerMs)));
  }

  #offence(error: SshError | undefined): Offence | undefined {
    if (this.#abort.signal.aborted) return undefined;
    if (this.#failures > 0) return "authFail";
    if (error?.code === "timeout") return "grace";
    // A client that disconnects while its password is being checked has guessed as well.
    return this.#passwordAttempt === undefined ? "noAuth" : "authFail";
  }
}
