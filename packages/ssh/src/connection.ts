/**
 * The part of an SSH connection that both roles share: login, channels, requests and closing.
 * Longer than 300 lines, because it handles every event and call of a connection, and most are short.
 * @module
 */
import type { AuthClientEvent, AuthServerEvent, MaybePromise } from "@postern/auth";
import type { ConnectionMachine } from "@postern/connection";
import { algorithmNames } from "@postern/transport";
import {
  type Bytes,
  DirectStreamlocal,
  DirectTcpip,
  disconnectReason,
  expectPort,
  expectText,
  maxTimerMs,
  quote,
  SshError,
  sanitizeText,
} from "@postern/wire";
import * as Limits from "@postern/wire/limits";
import type { Address } from "./address.ts";
import type { BytePipe } from "./byte-pipe.ts";
import type { ConnectionContext } from "./channel-core.ts";
import { Channels } from "./channels.ts";
import { deferred, onAbort } from "./deferred.ts";
import { type DrivenSession, Driver } from "./driver.ts";
import { GlobalRequests } from "./global-requests.ts";
import { KeepAlive } from "./keepalive.ts";
import type { ConnectionOptions } from "./options.ts";
import type { SessionEvent } from "./session-machine.ts";
import type {
  CallOptions,
  Channel,
  ChannelOptions,
  ConnectionStats,
  GlobalReply,
  OpenTcpOptions,
  PeerInfo,
  RequestOptions,
  SshConnection,
} from "./ssh-connection.ts";

/** The options that do not concern the session. */
export type DrivenOptions = Omit<ConnectionOptions, "algorithms" | "random">;

/** The part of a connection that both roles share. Each role passes a handler for its login events. */
export class Connection implements SshConnection {
  readonly #options: DrivenOptions;
  readonly #session: DrivenSession;
  readonly #machine: ConnectionMachine;
  readonly #driver: Driver;
  readonly #now: () => number;
  readonly #channels: Channels;
  readonly #requests: GlobalRequests;
  readonly #closed = deferred();
  readonly #opened = deferred();
  #end: { readonly error: SshError | undefined } | undefined;
  #user = "";
  #peer: Partial<PeerInfo> = {};
  #rekeys = 0;

  constructor(
    pipe: BytePipe,
    session: DrivenSession,
    options: DrivenOptions,
    now: () => number,
    loginEvent: (event: SessionEvent, connection: Connection) => void,
  ) {
    this.#options = options;
    this.#session = session;
    this.#machine = session.connection;
    this.#now = now;
    this.#driver = new Driver(pipe, session, now, {
      event: (event) => {
        if (!this.#event(event)) loginEvent(event, this);
      },
      probe: () => this.#requests.probe(),
      ended: (error) => this.#ended(error),
    });
    const { windowBudget = Limits.windows, onChannelOpen, onGlobalRequest } = options;
    const context: ConnectionContext = {
      machine: session.connection,
      scheduleFlush: () => this.#driver.scheduleFlush(),
      now,
      unsent: 0,
      answerOnce: this.#answerOnce,
      endError: () => this.#endError(),
      longRoundTrip: () => this.#requests.longRoundTrip(),
      acknowledgeNow: () => session.acknowledgeNow(),
      onOpen: onChannelOpen && ((open) => onChannelOpen(open, this)),
      onRequest: onGlobalRequest && ((request) => onGlobalRequest(request, this)),
    };
    this.#requests = new GlobalRequests(context);
    this.#channels = new Channels(context, windowBudget);
  }

  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  get peer(): PeerInfo {
    const { serverSigAlgs } = this.#session;
    const none = { lines: [], version: "", sessionId: new Uint8Array(0), algorithms: algorithmNames({}, false) };
    return { ...none, serverSigAlgs, preferred: undefined, ...this.#peer };
  }

  get user(): string {
    return this.#user;
  }

  get loggedIn(): boolean {
    return this.#requests.loggedIn;
  }

  get channelCount(): number {
    return this.#machine.channelCount;
  }

  /** Starts the connection. Resolves once login is complete. @internal */
  async open(user: string): Promise<this> {
    this.#user = user;
    const { signal, loginTimeoutMs = Limits.loginTimeoutMs } = this.#options;
    const stopListening = onAbort(signal, () => {
      this.#opened.reject(signal?.reason);
      this.abort(new SshError("aborted", "the login was aborted", { cause: signal?.reason }));
    });
    const late = new SshError("timeout", `expected login to complete within ${loginTimeoutMs} ms`);
    const deadline = setTimeout(() => this.abort(late), Math.min(loginTimeoutMs, maxTimerMs));
    try {
      this.#driver.start();
      await this.#opened.promise;
    } finally {
      stopListening();
      clearTimeout(deadline);
    }
    return this;
  }

  /** Login is complete. @internal */
  loginDone(user: string): void {
    this.#user = user;
    const { keepAlive } = this.#options;
    if (keepAlive !== undefined && keepAlive.intervalMs > 0)
      this.#driver.keepAlive = new KeepAlive(keepAlive, this.#now(), Date.now());
    // Requests that were sent along with the login may wait for replies. This must come before the queued requests are
    // sent, because those would carry the acknowledgement themselves.
    if (this.#requests.awaitsReply) this.#session.acknowledgeNow();
    this.#requests.loggedIn = true;
    this.releaseRequests();
    this.#opened.resolve();
  }

  /** Sends the requests that were queued during login. @internal */
  releaseRequests(): void {
    this.#requests.release();
  }

  /** Calls `work` for a decision, then `then` with its result. An error ends the connection. @internal */
  decide<T>(work: () => MaybePromise<T>, then: (result: T) => void): void {
    const proceed = (result: T): void => {
      if (this.#end !== undefined) return;
      then(result);
      this.#driver.scheduleFlush();
    };
    const result = work();
    if (result instanceof Promise) {
      result.then(proceed).catch((error: unknown) => this.#driver.fail(error));
    } else proceed(result);
  }

  async openChannel(type: string, specificData: Bytes, options: CallOptions & ChannelOptions = {}): Promise<Channel> {
    this.#expectOpen(options.signal);
    if (!this.loggedIn) throw new SshError("misuse", "expected openChannel after login, got it before");
    return await this.#channels.open(type, specificData, options);
  }

  async openTcp({ host, port }: Address, { origin, ...options }: OpenTcpOptions = {}): Promise<Channel> {
    expectText("host", host);
    expectPort("port", port, 1);
    const { host: originAddress, port: originPort } = origin ?? { host: "127.0.0.1", port: 0 };
    const specificData = DirectTcpip.encode({ host, port, originAddress, originPort });
    return await this.openChannel("direct-tcpip", specificData, options);
  }

  async openUnix(path: string, options?: CallOptions & ChannelOptions): Promise<Channel> {
    expectText("path", path);
    const specificData = DirectStreamlocal.encode({ path, reserved: new Uint8Array(0), reservedNumber: 0 });
    return await this.openChannel("direct-streamlocal@openssh.com", specificData, options);
  }

  async request(name: string, specificData: Bytes, options: RequestOptions = {}): Promise<GlobalReply> {
    this.#expectOpen(options.signal);
    return await this.#requests.send(name, specificData, options);
  }

  notify(name: string, specificData: Bytes): void {
    if (this.#end === undefined && this.loggedIn) this.#requests.notify(name, specificData);
  }

  debug(message: string): void {
    if (this.#end !== undefined) return;
    this.#session.debug(message);
    this.#driver.scheduleFlush();
  }

  rekey(): void {
    this.#session.startRekey();
    this.#driver.scheduleFlush();
  }

  async close({ signal }: CallOptions = {}): Promise<void> {
    await this.#driver.close(disconnectReason(undefined), "closed by the program", signal);
  }

  ref(): void {
    this.#driver.setRef(true);
  }

  unref(): void {
    this.#driver.setRef(false);
  }

  abort(error: SshError): void {
    this.#driver.fail(error);
  }

  stats(): ConnectionStats {
    const { bytesIn, bytesOut } = this.#driver;
    return {
      bytesIn,
      bytesOut,
      rekeys: this.#rekeys,
      roundTripMs: this.#requests.lastRoundTripMs,
      channels: this.channelCount,
    };
  }

  /** Handles every event except those of a role's login, for which it returns `false`. */
  #event(event: SessionEvent): boolean {
    if ("id" in event) {
      this.#channels.handle(event);
      return true;
    }
    switch (event.type) {
      case "globalRequest":
        this.#requests.received(event.name, event.specificData, event.slot);
        return true;
      case "globalReply": {
        const { index, ok, specificData, unimplemented } = event;
        this.#requests.settle(index, { ok, specificData, unimplemented });
        return true;
      }
      case "debug":
        // RFC 4253 section 11.3: control characters are filtered.
        this.#options.onDebug?.(sanitizeText(event.message.slice(0, Limits.debugCharacters)), event.alwaysDisplay);
        return true;
      case "unimplemented":
        // Some servers answer every global request this way. It counts as a failure (RFC 4253 section 11.4).
        this.#machine.globalRequests.unimplemented(event.sequence);
        return true;
      case "disconnect": {
        const { reason, description } = event;
        // Some servers disconnect instead of refusing the last attempt to log in.
        const code = this.#session.refusesLogin(reason) ? "auth" : "disconnected";
        const message = `the peer disconnected: ${quote(description)} (reason ${reason})`;
        throw new SshError(code, message, { reason, description });
      }
      case "identified":
        this.#peer = { ...this.#peer, version: event.version, lines: event.lines };
        return true;
      case "keys": {
        const { sessionId = new Uint8Array(0) } = this.#session;
        this.#peer = { ...this.#peer, algorithms: event.names, preferred: event.preferred, sessionId };
        if (!event.first) this.#rekeys++;
        return true;
      }
      case "tapFailed":
        // Reported as the errors of event listeners are.
        queueMicrotask(() => {
          throw event.error;
        });
        return true;
      default:
        event satisfies AuthClientEvent | AuthServerEvent | { readonly type: "notice" | "verify" | "hostKey" | "sign" };
        return false;
    }
  }

  /** See {@link ConnectionContext}. */
  readonly #answerOnce = (what: string): (<T>(answer: () => T) => T | undefined) => {
    let isAnswered = false;
    return (answer) => {
      if (isAnswered) throw new SshError("misuse", `expected one answer to ${what}, got another`);
      isAnswered = true;
      if (this.#end !== undefined) return undefined;
      const result = answer();
      this.#driver.scheduleFlush();
      return result;
    };
  };

  #expectOpen(signal: AbortSignal | undefined): void {
    signal?.throwIfAborted();
    if (this.#end !== undefined) throw this.#endError();
  }

  #endError(): SshError {
    return this.#end?.error ?? new SshError("closed", "the connection was closed");
  }

  #ended(error: SshError | undefined): void {
    this.#end = { error };
    const reason = this.#endError();
    this.#requests.fail(reason);
    this.#channels.end(reason);
    this.#opened.reject(reason);
    if (error === undefined) this.#closed.resolve();
    else this.#closed.reject(error);
  }
}
