/** One client, from its first byte to the end of its connection. @module */
import type { Signer } from "@postern/crypto";
import { accept, type BytePipe, type PacketTap, type PeerInfo, type SshConnection } from "@postern/ssh";
import { type Bytes, DisconnectReason, maxTimerMs, quote, SshError, sanitizeText, toSshError } from "@postern/wire";
import { ClientRequests } from "./client-requests.ts";
import type { HostForwarding } from "./client-view.ts";
import { countingPipe, type Traffic } from "./counting-pipe.ts";
import { LoginEvent, RefusalEvent } from "./events.ts";
import type { Exceeded } from "./host-budget.ts";
import type { ClientContext, Membership } from "./host-context.ts";
import { announceHostKeys } from "./host-keys.ts";
import type { LoginDecider } from "./login-decider.ts";
import { describeKey, type HostLogin, type ProvedKey, plainKey } from "./login-identity.ts";
import type { Address } from "./platform.ts";
import { prepareForClient } from "./prepare-for-client.ts";
import type { TakeoverClient } from "./takeover.ts";

/** A client that a host serves. */
export interface ServedClient extends TakeoverClient {
  /** The keys that it logged in with. */
  readonly keys: readonly ProvedKey[];
  /** Accepts no new requests. Closes the connection once all channels have ended, or after `drainMs`. */
  drain(drainMs: number): Promise<void>;
}

/** A client whose connection is in this process. */
export class Client implements ServedClient {
  readonly id: number;
  readonly origin: Address | undefined;
  readonly since: Date = new Date();
  readonly #context: ClientContext;
  readonly #traffic: Traffic = { bytesIn: 0, bytesOut: 0 };
  readonly #abort = new AbortController();
  readonly #attempts: LoginDecider;
  readonly #membership: Membership;
  readonly #requests: ClientRequests;
  /** The keys of this connection, which a reload does not change: a rekey must prove the same key. */
  readonly #hostKeys: readonly Signer[];
  #connection: SshConnection | undefined;
  #login: HostLogin | undefined;

  constructor(id: number, origin: Address | undefined, context: ClientContext) {
    this.id = id;
    this.origin = origin;
    this.#context = context;
    this.#hostKeys = context.options.hostKeys;
    this.#attempts = context.decider(this);
    this.#membership = context.join(this);
    this.#requests = new ClientRequests(this, context, () => this.#attempts.accepted?.grants);
  }

  get user(): string | undefined {
    return this.#connection && sanitizeText(this.#connection.user);
  }

  get account(): string {
    return this.#connection?.user ?? "";
  }

  get login(): HostLogin | undefined {
    return this.#login;
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

  get rekeys(): number {
    return this.#connection?.stats().rekeys ?? 0;
  }

  get forwardings(): readonly HostForwarding[] {
    return this.#requests.forwardings;
  }

  get channels(): number {
    return this.#requests.channels;
  }

  /** Resolves when the connection has ended, with the reason unless the client simply left. Never rejects. */
  async run(pipe: BytePipe): Promise<SshError | undefined> {
    let error: SshError | undefined;
    try {
      const connection = await this.#serve(countingPipe(pipe, { traffic: this.#traffic }));
      await connection.closed;
    } catch (cause) {
      error = toSshError(cause, "closed", "the connection failed");
    }
    const offence = this.#abort.signal.aborted ? undefined : this.#attempts.offence(error);
    await this.#requests.end();
    this.#membership.left(offence);
    // RFC 4253 section 11.1: the client left on its own.
    const hasLeft = error?.code === "disconnected" && error.reason === DisconnectReason.BY_APPLICATION;
    return hasLeft ? undefined : error;
  }

  rekey(): void {
    this.#connection?.rekey();
  }

  async close(): Promise<void> {
    if (this.#connection === undefined) this.#abort.abort(new SshError("closed", "the server closed the connection"));
    else await this.#connection.close();
  }

  get keys(): readonly ProvedKey[] {
    return this.#attempts.keys;
  }

  get lastKey(): Bytes | undefined {
    const key = this.#attempts.keys.at(-1);
    return key && plainKey(key);
  }

  async drop(reason: SshError): Promise<void> {
    this.#connection?.abort(reason);
    this.#abort.abort(reason);
    await this.#requests.end();
  }

  async answers(timeoutMs: number): Promise<boolean> {
    const connection = this.#connection;
    if (connection === undefined) return false;
    if (this.#isBusy) return true;
    const before = this.bytesIn;
    return await new Promise((resolve) => {
      const settle = (): void => {
        clearTimeout(timer);
        resolve(this.bytesIn > before || this.#isBusy);
      };
      const timer = setTimeout(settle, timeoutMs);
      connection.request("keepalive@openssh.com", new Uint8Array(0)).then(settle, settle);
    });
  }

  /** Whether an answer may wait: behind output that the client has not read, or because we read nothing. */
  get #isBusy(): boolean {
    return this.#traffic.isBlocked === true || this.#traffic.isPaused === true;
  }

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
    const { limits, rekey, keepAlive, methods, banner, versionAddendum } = options;
    const { algorithms, userKeys, authorityKeys } = await prepareForClient(options, platform);
    this.#attempts.authorityKeys = authorityKeys;
    let tap: PacketTap | undefined;
    try {
      tap = options.tap?.(this);
    } catch (error) {
      pipe.abort();
      throw error;
    }
    return await accept(pipe, {
      tap,
      hostKeys: this.#hostKeys,
      algorithms,
      userKeys,
      rekey,
      keepAlive,
      methods,
      versionAddendum,
      random: platform.random,
      attempts: limits.attempts,
      loginTimeoutMs: limits.loginTimeoutMs,
      signal: this.#abort.signal,
      authenticate: (attempt) => this.#attempts.authenticate(attempt),
      onLogin: (connection) => this.#loggedIn(connection),
      onChannelOpen: (open) => this.#requests.channelOpen(open),
      onGlobalRequest: (request, connection) => this.#requests.globalRequest(request, connection),
      ...(banner === undefined ? {} : { banner }),
    });
  }

  /** Runs before any request of the client, so that a `login` listener can prepare for the client or disconnect it. */
  #loggedIn(connection: SshConnection): void {
    const { fingerprint, emit } = this.#context;
    this.#connection = connection;
    const refused = this.#membership.loggedIn(connection.user, this.#attempts.keys);
    if (refused !== undefined) {
      const { text, error } = refusedLogin(connection.user, refused);
      emit(new RefusalEvent("login", text, this, this.origin, refused.limit));
      connection.abort(error);
      return;
    }
    this.#login = {
      user: sanitizeText(connection.user),
      method: this.#attempts.accepted?.method ?? "",
      ...describeKey(this.#attempts.keys.at(-1), fingerprint),
      algorithms: connection.peer.algorithms,
    };
    emit(new LoginEvent(this, this.#login));
    announceHostKeys(connection, this.#hostKeys);
  }
}

/** Returns the reason for refusing a client that had logged in. */
export function refusedLogin(user: string, { reason, limit }: Exceeded): { text: string; error: SshError } {
  const text = `${quote(user, 64)}: ${reason}`;
  return { text, error: new SshError(limit === undefined ? "closed" : "limit", text) };
}
