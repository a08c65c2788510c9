/** One client, from its first byte to the end of its connection. @module */
import type { Signer } from "@postern/crypto";
import { accept, type BytePipe, type PacketTap, type PeerInfo, type SshConnection } from "@postern/ssh";
import { DisconnectReason, equal, maxTimerMs, quote, SshError, sanitizeText, toSshError } from "@postern/wire";
import { ClientLogin } from "./client-login.ts";
import { ClientRequests } from "./client-requests.ts";
import type { HostForwarding } from "./client-view.ts";
import { countingPipe, type Traffic } from "./counting-pipe.ts";
import { LoginEvent, RefusalEvent } from "./events.ts";
import { clientMemory, type Exceeded } from "./host-budget.ts";
import type { HostContext } from "./host-context.ts";
import { announceHostKeys } from "./host-keys.ts";
import { describeKey, type HostLogin, plainKey } from "./login-identity.ts";
import type { Address } from "./platform.ts";
import type { TakeoverClient, TakeoverPolicy } from "./takeover.ts";

/** The implementation of {@link HostClient}. */
export class Client implements TakeoverClient {
  readonly id: number;
  readonly origin: Address | undefined;
  readonly since: Date = new Date();
  readonly #context: HostContext;
  readonly #traffic: Traffic = { bytesIn: 0, bytesOut: 0 };
  readonly #abort = new AbortController();
  readonly #attempts: ClientLogin;
  readonly #requests: ClientRequests;
  /** The keys of this connection, which a reload does not change: a rekey must prove the same key. */
  readonly #hostKeys: readonly Signer[];
  #connection: SshConnection | undefined;
  #login: HostLogin | undefined;
  /** Whether the connection counts for its user. */
  #isCounted = false;

  constructor(id: number, origin: Address | undefined, context: HostContext) {
    this.id = id;
    this.origin = origin;
    this.#context = context;
    this.#hostKeys = context.options.hostKeys;
    this.#attempts = new ClientLogin(this, context);
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
    const { admission } = this.#context;
    let error: SshError | undefined;
    try {
      const connection = await this.#serve(countingPipe(pipe, { traffic: this.#traffic }));
      await connection.closed;
    } catch (cause) {
      error = toSshError(cause, "closed", "the connection failed");
    }
    if (this.#connection === undefined) {
      admission.startupEnded(this.origin?.host);
      if (!this.#abort.signal.aborted) admission.punish(this.origin?.host, this.#attempts.offence(error));
    }
    await this.#requests.end();
    this.#context.budget.returnMemory(clientMemory, this.#isCounted ? this.account : undefined);
    if (this.#isCounted) this.#context.budget.giveBack(this.account, "connections");
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

  /** Why the client may no longer be connected: its user or one of its keys is revoked. */
  get revoked(): string | undefined {
    const { revocations, options } = this.#context;
    if (this.#connection === undefined) return undefined;
    for (const key of this.#attempts.keys) {
      const reason = revocations.keyReason(key) ?? options.revokedKeys?.reason(key.publicKey);
      if (reason !== undefined) return reason;
    }
    return revocations.userReason(this.account);
  }

  async drop(reason: SshError): Promise<void> {
    this.#connection?.abort(reason);
    this.#abort.abort(reason);
    await this.#requests.end();
  }

  isSameOwner(other: TakeoverClient, policy: TakeoverPolicy): boolean {
    if (this.#connection === undefined || !(other instanceof Client) || other.account !== this.account) return false;
    const [ours, theirs] = [this.#attempts.keys.at(-1), other.#attempts.keys.at(-1)];
    return policy === "user" || (ours !== undefined && theirs !== undefined && equal(plainKey(ours), plainKey(theirs)));
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
    const { limits, rekey, keepAlive, methods, banner, versionAddendum } = options;
    const { prepare = async (given) => given } = platform;
    const algorithms = await prepare(options.algorithms);
    let { hostKeys: userKeys } = algorithms;
    this.#attempts.authorityKeys = userKeys;
    if (options.userKeys !== undefined) {
      // A list of user keys says nothing about the keys of CAs.
      this.#attempts.authorityKeys = (await prepare(platform.algorithms)).hostKeys;
      userKeys = (await prepare({ ...algorithms, hostKeys: options.userKeys })).hostKeys;
    }
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
    const { admission, fingerprint, emit } = this.#context;
    admission.startupEnded(this.origin?.host);
    this.#connection = connection;
    // A revocation may have come after the decision.
    const revoked = this.revoked;
    const exceeded = revoked === undefined ? this.#count(connection.user) : undefined;
    const refusal = revoked ?? exceeded?.reason;
    if (refusal !== undefined) {
      const text = `${quote(connection.user, 64)}: ${refusal}`;
      emit(new RefusalEvent("login", text, this, this.origin, exceeded?.limit));
      connection.abort(new SshError(exceeded === undefined ? "closed" : "limit", text));
      return;
    }
    this.#isCounted = true;
    this.#login = {
      user: sanitizeText(connection.user),
      method: this.#attempts.accepted?.method ?? "",
      ...describeKey(this.#attempts.keys.at(-1), fingerprint),
      algorithms: connection.peer.algorithms,
    };
    emit(new LoginEvent(this, this.#login));
    announceHostKeys(connection, this.#hostKeys);
  }

  /** Counts the connection and its memory for its user, unless a limit is reached. */
  #count(user: string): Exceeded | undefined {
    const { budget } = this.#context;
    const exceeded = budget.take(user, "connections");
    if (exceeded !== undefined) return exceeded;
    const noMemory = budget.assignMemory(user, clientMemory);
    if (noMemory !== undefined) budget.giveBack(user, "connections");
    return noMemory;
  }
}
