/** What both roles of an SSH connection share: channels, requests, and the end. @module */
import type { MaybePromise } from "@postern/auth";
import type { ReplySlot } from "@postern/connection";
import type { AlgorithmNames } from "@postern/transport";
import {
  type Bytes,
  disconnectReason,
  Limits,
  maxTimerMs,
  OpenFailureReason,
  quote,
  RfcLimits,
  SshError,
  sanitizeText,
} from "@postern/wire";
import type { BytePipe } from "./byte-pipe.ts";
import { type Channel, type ChannelContext, SshChannel } from "./channel.ts";
import { Driver } from "./driver.ts";
import { GlobalRequests } from "./global-requests.ts";
import { KeepAlive } from "./keepalive.ts";
import { onAbort } from "./on-abort.ts";
import { abortedError, type ConnectionOptions } from "./options.ts";
import type { SessionEvent, SessionMachine } from "./session-machine.ts";
import { settleable } from "./settleable.ts";
import type {
  AcceptOptions,
  CallOptions,
  ChannelOptions,
  ConnectionStats,
  GlobalReply,
  IncomingOpen,
  IncomingRequest,
  PeerInfo,
  RequestOptions,
  SshConnection,
} from "./ssh-connection.ts";
import { type Waiter, waiter } from "./waiter.ts";
import { WindowBudget, WindowGrowth } from "./window-growth.ts";

/** What only a role knows how to handle. */
type LoginEventType =
  | "notice"
  | "verify"
  | "hostKey"
  | "sign"
  | "step"
  | "banner"
  | "authenticated"
  | "attempt"
  | "responses"
  | "abandoned";

interface OpenWaiter extends Waiter<SshChannel> {
  readonly type: string;
  readonly growth: WindowGrowth;
  readonly options: ChannelOptions;
}

/** The part of a connection that both roles share. The roles add the handling of their login events. */
export class Connection implements SshConnection {
  readonly #options: ConnectionOptions;
  readonly #driver: Driver;
  readonly #now: () => number;
  readonly #host: ChannelContext;
  readonly #channels = new Map<number, SshChannel>();
  readonly #opens = new Map<number, OpenWaiter>();
  readonly #requests: GlobalRequests;
  readonly #windows: WindowBudget;
  readonly #closed = settleable();
  readonly #opened = settleable();
  #end: { readonly error: SshError | undefined } | undefined;
  #user = "";
  #peer: Partial<PeerInfo> = {};
  #rekeys = 0;

  constructor(
    pipe: BytePipe,
    session: SessionMachine,
    options: ConnectionOptions,
    now: () => number,
    loginEvent: (event: SessionEvent, connection: Connection) => void,
  ) {
    this.#options = options;
    this.#now = now;
    this.#driver = new Driver(pipe, session, now, {
      event: (event) => {
        if (!this.#event(event)) loginEvent(event, this);
      },
      probe: () => this.#requests.probe(),
      ended: (error) => this.#ended(error),
    });
    this.#windows = new WindowBudget(options.windowBudget ?? Limits.windows);
    const machine = session.connection;
    const touch = (): void => this.#driver.touch();
    this.#requests = new GlobalRequests({ machine, touch, now });
    this.#host = {
      machine,
      touch,
      now,
      unsent: 0,
      reuse: (chunk) => session.transport.reuseInput(chunk),
    };
  }

  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  get peer(): PeerInfo {
    return { lines: [], version: "", sessionId: new Uint8Array(0), algorithms: noAlgorithms, ...this.#peer };
  }

  get user(): string {
    return this.#user;
  }

  get loggedIn(): boolean {
    return this.#requests.loggedIn;
  }

  get channelCount(): number {
    return this.#host.machine.channelCount;
  }

  /** Runs the connection until the peer is logged in. @internal */
  async open(user: string): Promise<this> {
    this.#user = user;
    const { signal, loginTimeoutMs = Limits.loginTimeoutMs } = this.#options;
    const aborted = (): void => this.abort(new SshError("aborted", "the login was aborted", { cause: signal?.reason }));
    const settled = onAbort(signal, aborted);
    const late = new SshError("timeout", `expected the login to be done within ${loginTimeoutMs} ms`);
    const deadline = setTimeout(() => this.abort(late), Math.min(loginTimeoutMs, maxTimerMs));
    try {
      this.#driver.start();
      await this.#opened.promise;
    } finally {
      settled();
      clearTimeout(deadline);
    }
    return this;
  }

  /** The peer is logged in. @internal */
  loginDone(user: string): void {
    this.#user = user;
    const { keepAlive } = this.#options;
    if (keepAlive !== undefined && keepAlive.intervalMs > 0) {
      this.#driver.keepAlive = new KeepAlive(keepAlive, this.#now(), Date.now());
    }
    // What leaves now carries the acknowledgement itself.
    if (this.#requests.waiting) this.#driver.session.hurry();
    this.#requests.loggedIn = true;
    this.releaseRequests();
    this.#opened.settle();
  }

  /** What was asked during the login may be sent. @internal */
  releaseRequests(): void {
    this.#requests.release();
  }

  /** Works on a decision of the program and goes on with its outcome; an error ends the connection. @internal */
  decide<T>(work: () => MaybePromise<T>, then: (outcome: T) => void): void {
    const proceed = (outcome: T): void => {
      if (this.#end !== undefined) return;
      then(outcome);
      this.#driver.touch();
    };
    const outcome = work();
    if (outcome instanceof Promise) {
      outcome.then(proceed).catch((error: unknown) => this.#driver.fail(error));
    } else proceed(outcome);
  }

  async openChannel(type: string, specificData: Bytes, options: CallOptions & ChannelOptions = {}): Promise<Channel> {
    const { signal, window, maxPacket = Limits.maxPacket } = options;
    this.#expectOpen(signal);
    if (!this.loggedIn) throw new SshError("misuse", "expected the login to be over");
    expectUint32("window", window ?? Limits.window);
    expectUint32("maxPacket", maxPacket);
    const { machine } = this.#host;
    return await new Promise<Channel>((resolve, reject) => {
      const growth = this.#window(window);
      let id: number;
      try {
        id = machine.openChannel(type, specificData, { window: growth.size, maxPacket });
      } catch (error) {
        growth.end(0);
        throw error;
      }
      this.#driver.touch();
      const aborted = (): void => {
        this.#opens.delete(id);
        machine.abandonOpen(id);
        growth.end(0);
        reject(abortedError(signal));
      };
      this.#opens.set(id, { type, growth, options, ...waiter(signal, { resolve, reject }, aborted) });
    });
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
    this.#driver.session.transport.debug(message, true);
    this.#driver.touch();
  }

  rekey(): void {
    this.#driver.session.transport.startRekey();
    this.#driver.touch();
  }

  async close({ signal }: CallOptions = {}): Promise<void> {
    await this.#driver.close(disconnectReason(undefined), "closed by the program", signal);
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

  /** Handles what is no matter of a role's login. */
  #event(event: SessionEvent): boolean {
    switch (event.type) {
      case "data":
        if (event.dataType === undefined) this.#channels.get(event.id)?.received(event.data);
        else this.#channels.get(event.id)?.discarded(event.data.length);
        return true;
      case "writable":
        this.#channels.get(event.id)?.woken();
        return true;
      case "eof":
        this.#channels.get(event.id)?.receivedEof();
        return true;
      case "stalled":
        this.#channels.get(event.id)?.stalled();
        return true;
      case "closed": {
        const channel = this.#channels.get(event.id);
        this.#channels.delete(event.id);
        channel?.released(undefined);
        return true;
      }
      case "open":
        this.#incomingOpen(event.id, event.channelType, event.specificData);
        return true;
      case "opened":
        this.#channelOpened(event.id);
        return true;
      case "openFailed": {
        const { reason, description } = event;
        const message = `the peer refused the channel: ${quote(description)} (reason ${reason})`;
        const waiting = this.#opens.get(event.id);
        this.#opens.delete(event.id);
        waiting?.growth.end(0);
        waiting?.reject(new SshError("refused", message, { reason }));
        return true;
      }
      case "request":
        this.#channelRequest(event.id, event.requestType, event.specificData, event.slot);
        return true;
      case "reply":
        this.#channels.get(event.id)?.replied(event.ok);
        return true;
      case "globalRequest":
        this.#incomingRequest(event.name, event.specificData, event.slot);
        return true;
      case "globalReply":
        this.#requests.settle(event.index, {
          ok: event.ok,
          specificData: event.specificData,
          unimplemented: event.unimplemented,
        });
        return true;
      case "debug":
        // RFC 4253 section 11.3: control characters are filtered.
        this.#options.onDebug?.(sanitizeText(event.message.slice(0, Limits.debugCharacters)), event.alwaysDisplay);
        return true;
      case "unimplemented":
        // Some servers answer every global request this way; it stands for a failure (RFC 4253 section 11.4).
        this.#host.machine.unimplemented(event.sequence);
        return true;
      case "disconnect": {
        const { reason, description } = event;
        // A server that has had enough attempts hangs up instead of refusing one more.
        const code = this.#driver.session.refusesLogin(reason) ? "auth" : "disconnected";
        throw new SshError(code, `the peer disconnected: ${quote(description)} (reason ${reason})`, { reason });
      }
      case "identified":
        this.#peer = { ...this.#peer, version: event.version, lines: event.lines };
        return true;
      case "keys": {
        const { sessionId = new Uint8Array(0) } = this.#driver.session.transport;
        this.#peer = { ...this.#peer, algorithms: event.names, sessionId };
        if (!event.first) this.#rekeys++;
        return true;
      }
      default:
        event satisfies { readonly type: LoginEventType };
        return false;
    }
  }

  #incomingOpen(id: number, type: string, specificData: Bytes): void {
    const { machine, unsent } = this.#host;
    if (unsent > Limits.unsent) {
      machine.refuseOpen(id, OpenFailureReason.RESOURCE_SHORTAGE, "too many bytes wait for a window");
      return;
    }
    const once = this.#once("a channel open");
    const open: IncomingOpen = {
      type,
      id,
      specificData,
      accept: (options = {}) => {
        const { window, maxPacket = Limits.maxPacket } = options;
        const channel = once(() => {
          const growth = this.#window(window);
          machine.confirmOpen(id, undefined, { window: growth.size, maxPacket });
          return this.#addChannel(id, type, growth, options);
        });
        if (channel !== undefined) return channel;
        throw this.#end?.error ?? new SshError("closed", "expected an open connection to accept a channel on");
      },
      refuse: (reason, description) => once(() => machine.refuseOpen(id, reason, description)),
    };
    if (this.#options.onChannelOpen !== undefined) this.#options.onChannelOpen(open, this);
    else open.refuse(OpenFailureReason.ADMINISTRATIVELY_PROHIBITED, "no channels are accepted");
  }

  /** Does what answers the peer, and throws when it is to be done again. It is not done when the connection has ended. */
  #once(what: string): <T>(answer: () => T) => T | undefined {
    let answered = false;
    return (answer) => {
      if (answered) throw new SshError("misuse", `expected one answer to ${what}`);
      answered = true;
      if (this.#end !== undefined) return undefined;
      const result = answer();
      this.#driver.touch();
      return result;
    };
  }

  #incomingRequest(name: string, specificData: Bytes, slot: ReplySlot | undefined): void {
    const { machine } = this.#host;
    if (slot === undefined && this.#requests.waiting) this.#driver.session.hurry();
    const once = this.#once("a global request");
    const answer = (ok: boolean, reply?: Bytes): void => once(() => slot && machine.replyGlobal(slot, ok, reply));
    const request: IncomingRequest = {
      name,
      specificData,
      wantReply: slot !== undefined,
      accept: (reply) => answer(true, reply),
      refuse: () => answer(false),
    };
    if (this.#options.onGlobalRequest === undefined) request.refuse();
    else this.#options.onGlobalRequest(request, this);
  }

  #channelRequest(id: number, type: string, specificData: Bytes, slot: ReplySlot | undefined): void {
    const { machine } = this.#host;
    const once = this.#once("a channel request");
    const answer = (ok: boolean): void => once(() => slot && machine.reply(id, slot, ok));
    const accept = (): void => answer(true);
    const refuse = (): void => answer(false);
    const { onRequest } = this.#channels.get(id) ?? {};
    if (onRequest !== undefined) onRequest({ type, specificData, wantReply: slot !== undefined, accept, refuse });
    // RFC 4254 section 5.4: a request that is not recognized is answered with failure. sshd probes clients this way.
    else refuse();
  }

  #channelOpened(id: number): void {
    const waiter = this.#opens.get(id);
    this.#opens.delete(id);
    waiter?.resolve(this.#addChannel(id, waiter.type, waiter.growth, waiter.options));
  }

  #window(fixed: number | undefined): WindowGrowth {
    return new WindowGrowth(this.#windows, this.#roundTrip, fixed);
  }

  /** Milliseconds when the link is long. Called only when it matters, because it may cost a request to the peer. */
  readonly #roundTrip = (): number | undefined => this.#requests.longRoundTrip();

  #addChannel(id: number, type: string, growth: WindowGrowth, handlers: AcceptOptions): SshChannel {
    const channel = new SshChannel(type, id, growth, this.#host, handlers);
    this.#channels.set(id, channel);
    return channel;
  }

  #expectOpen(signal: AbortSignal | undefined): void {
    if (signal?.aborted) throw abortedError(signal);
    if (this.#end !== undefined) throw this.#end.error ?? new SshError("closed", "the connection was closed");
  }

  /** Every waiter learns of the end. */
  #ended(error: SshError | undefined): void {
    this.#end = { error };
    const reason = error ?? new SshError("closed", "the connection was closed");
    for (const waiter of this.#opens.values()) waiter.reject(reason);
    this.#requests.fail(reason);
    this.#opens.clear();
    for (const channel of this.#channels.values()) channel.released(reason);
    this.#channels.clear();
    this.#opened.settle(reason);
    this.#closed.settle(error);
  }
}

const noAlgorithms: AlgorithmNames = {
  kex: "",
  hostKey: "",
  cipherC2s: "",
  cipherS2c: "",
  macC2s: undefined,
  macS2c: undefined,
  strict: false,
};

function expectUint32(name: string, value: number): void {
  if (Number.isInteger(value) && value >= 0 && value <= RfcLimits.maxWindow) return;
  throw new SshError("misuse", `expected ${name} to be a uint32, got ${value}`);
}
