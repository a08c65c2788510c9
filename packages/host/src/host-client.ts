/** One client of a host, from its first byte to its end. @module */

import type { AuthDecision } from "@postern/auth";
import { accept, type BytePipe, type LoginAttempt, type SshConnection } from "@postern/ssh";
import { maxTimerMs, quote, SshError, sanitizeText, toSshError } from "@postern/wire";
import type { Admission, Offence } from "./admission.ts";
import { ClientRequests } from "./client-requests.ts";
import { countingPipe, type Traffic } from "./counting-pipe.ts";
import { type Acceptance, readDecision } from "./decision.ts";
import { type HostForwarding, LoginEvent, RefusalEvent } from "./events.ts";
import { announceHostKeys } from "./host-keys.ts";
import type { CheckedHostOptions } from "./options.ts";
import { expectPassword } from "./password-hash.ts";
import { type Grants, grantsOf, type Permissions, restrict } from "./permissions.ts";
import type { Address, HostPlatform } from "./platform.ts";
import type { HostLoginAttempt } from "./policy.ts";

/** A client that is connected. */
export interface HostClient {
  readonly id: number;
  /** where it comes from; undefined on a pipe that does not know */
  readonly origin: Address | undefined;
  /** undefined before the login; unprintable characters are escaped as `\u{…}`, only `authorize` gets the exact name */
  readonly user: string | undefined;
  /** its identification line; "" before it came */
  readonly version: string;
  readonly since: Date;
  /** on the wire, from the client and to it */
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly forwardings: readonly HostForwarding[];
  /** visitors and direct connections that are open */
  readonly channels: number;
  /** Sends the client away. */
  close(): Promise<void>;
}

/** What a client needs of its host. */
export interface HostContext {
  readonly options: CheckedHostOptions;
  readonly platform: HostPlatform;
  readonly admission: Admission;
  readonly now: () => number;
  emit(event: Event): void;
}

/** The implementation of {@link HostClient}. */
export class Client implements HostClient {
  readonly id: number;
  readonly origin: Address | undefined;
  readonly since: Date = new Date();
  readonly #core: HostContext;
  readonly #traffic: Traffic;
  readonly #abort = new AbortController();
  readonly #requests: ClientRequests;
  #connection: SshConnection | undefined;
  /** the outcome of the latest attempt; an earlier one that is decided late does not count */
  #turn = 0;
  #login: { readonly method: string; readonly grants: Grants } | undefined;
  #failures = 0;
  /** what the methods that were accepted in part leave to the last one */
  readonly #factors: Permissions[] = [];
  /** the turn of an attempt whose password is being looked at */
  #guess: number | undefined;

  constructor(id: number, origin: Address | undefined, core: HostContext) {
    this.id = id;
    this.origin = origin;
    this.#core = core;
    this.#traffic = { bytesIn: 0, bytesOut: 0 };
    this.#requests = new ClientRequests(this, core, () => this.#login?.grants);
  }

  get user(): string | undefined {
    return this.#connection && sanitizeText(this.#connection.user);
  }

  get version(): string {
    return this.#connection?.peer.version ?? "";
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

  /** Serves the client; resolves when it is gone, with the reason unless it just left, and never rejects. */
  async run(pipe: BytePipe): Promise<SshError | undefined> {
    const { admission } = this.#core;
    let error: SshError | undefined;
    try {
      const connection = await this.#serve(countingPipe(pipe, { traffic: this.#traffic }));
      await connection.closed;
    } catch (cause) {
      error = toSshError(cause, "closed", "the connection failed");
    }
    if (this.#connection === undefined) {
      admission.loggedInOrGone();
      const offence = this.#offence(error);
      if (offence !== undefined) admission.punish(this.origin?.host, offence);
    }
    await this.#requests.end();
    return isFarewell(error) ? undefined : error;
  }

  async close(): Promise<void> {
    if (this.#connection === undefined) this.#abort.abort(new SshError("closed", "the host closed the connection"));
    else await this.#connection.close();
  }

  /** Takes nothing new, and leaves when what is open has ended, or after so many milliseconds; Infinity is no limit. */
  async drain(ms: number): Promise<void> {
    if (this.#connection !== undefined) {
      let timer: ReturnType<typeof setTimeout> | undefined;
      const patience = new Promise<void>((resolve) => {
        if (ms !== Number.POSITIVE_INFINITY) timer = setTimeout(resolve, Math.min(ms, maxTimerMs));
      });
      const gone = this.#connection.closed.catch(() => {});
      await Promise.race([this.#requests.drain(), patience, gone]);
      clearTimeout(timer);
    }
    await this.close();
  }

  async #serve(pipe: BytePipe): Promise<SshConnection> {
    const { options, platform, now } = this.#core;
    const { limits, hostKeys, rekey, keepAlive, methods, banner } = options;
    return await accept(pipe, {
      hostKeys,
      algorithms: platform.prepare === undefined ? options.algorithms : await platform.prepare(options.algorithms),
      rekey,
      keepAlive,
      methods,
      now,
      random: platform.random,
      attempts: limits.attempts,
      loginTimeoutMs: limits.loginTimeoutMs,
      signal: this.#abort.signal,
      authenticate: (attempt) => this.#authenticate(attempt),
      onLogin: (connection) => this.#loggedIn(connection),
      onChannelOpen: (open) => this.#requests.channel(open),
      onGlobalRequest: (request, connection) => this.#requests.global(request, connection),
      ...(banner === undefined ? {} : { banner }),
    });
  }

  /** Before anything is done for the client, so that a `connect` listener can prepare for it, or send it away. */
  #loggedIn(connection: SshConnection): void {
    this.#core.admission.loggedInOrGone();
    this.#connection = connection;
    this.#core.emit(new LoginEvent(this, sanitizeText(connection.user), this.#login?.method ?? ""));
    announceHostKeys(connection, this.#core.options.hostKeys);
  }

  async #authenticate(attempt: LoginAttempt): Promise<AuthDecision> {
    const turn = ++this.#turn;
    let why = "refused";
    try {
      if (attempt.method === "password") expectPassword(attempt.password);
      const decision = readDecision(await this.#core.options.authorize(this.#shown(attempt, turn)));
      if (decision !== undefined) return this.#accept(attempt, decision, turn);
    } catch (error) {
      why = error instanceof Error ? error.message : String(error);
    } finally {
      if (this.#guess === turn) this.#guess = undefined;
    }
    await this.#failed(attempt, why);
    return false;
  }

  /** The attempt as `authorize` sees it; notes when the client has shown a password. */
  #shown(attempt: LoginAttempt, turn: number): HostLoginAttempt {
    const { origin } = this;
    if (attempt.method === "password") this.#guess = turn;
    if (attempt.method !== "keyboard-interactive") return { ...attempt, origin };
    const ask: typeof attempt.ask = async (request) => {
      this.#guess = undefined;
      const answers = await attempt.ask(request);
      this.#guess = turn;
      return answers;
    };
    return { ...attempt, origin, ask };
  }

  #accept(attempt: LoginAttempt, { permissions, partial }: Acceptance, turn: number): AuthDecision {
    const decision = partial === undefined ? true : { partial };
    // An attempt that was dropped counts for nothing, and a key that is only asked about proves nothing.
    const isOver = turn !== this.#turn || attempt.signal.aborted;
    if (isOver || (attempt.method === "publickey" && !attempt.proved)) return decision;
    if (partial === undefined) {
      const grants = grantsOf(this.#factors.reduce(restrict, permissions));
      this.#login = { method: attempt.method, grants };
    } else if (attempt.method !== "none") this.#factors.push(permissions);
    return decision;
  }

  async #failed(attempt: LoginAttempt, why: string): Promise<void> {
    if (attempt.method === "none") return;
    this.#failures++;
    // A key that is only asked about costs the client nothing, and tells it nothing that is secret.
    if (attempt.method === "publickey" && !attempt.proved) return;
    const reason = `${attempt.method} of ${quote(attempt.user, 64)}: ${why}`;
    this.#core.emit(new RefusalEvent("login", reason, this, this.origin));
    const delay = this.#core.admission.failed(this.origin?.host);
    if (delay > 0) await new Promise((resolve) => setTimeout(resolve, Math.min(delay, maxTimerMs)));
  }

  #offence(error: SshError | undefined): Offence | undefined {
    if (this.#abort.signal.aborted) return undefined;
    if (this.#failures > 0) return "authFail";
    if (error?.code === "timeout") return "grace";
    // Who hangs up before its password has been looked at has guessed all the same.
    return this.#guess === undefined ? "noAuth" : "authFail";
  }
}

/** A client that says goodbye, with DISCONNECT by its program (RFC 4253 section 11.1). */
function isFarewell(error: SshError | undefined): boolean {
  return error?.code === "disconnected" && error.reason === 11;
}
