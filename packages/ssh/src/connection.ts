/** One SSH connection as programs see it: channels, requests, and its end. @module */
import type { MaybePromise } from "@postern/auth";
import type { ChannelLimits, ReplySlot } from "@postern/connection";
import type { AlgorithmNames } from "@postern/transport";
import { type Bytes, disconnectReason, Limits, OpenFailureReason, quote, SshError } from "@postern/wire";
import type { BytePipe } from "./byte-pipe.ts";
import { type Channel, type ChannelHost, SshChannel } from "./channel.ts";
import { Driver } from "./driver.ts";
import { KeepAlive } from "./keepalive.ts";
import type { ConnectionOptions } from "./options.ts";
import type { SessionEvent, SessionMachine } from "./session-machine.ts";

/** The peer wants to open a channel (RFC 4254 section 5.1). Answer once, now or later. */
export interface IncomingOpen {
  readonly type: string;
  readonly id: number;
  /** the type-specific part (view) */
  readonly specific: Bytes;
  /** Opens the channel. Throws SshError `closed` when the connection has ended meanwhile. */
  accept(options?: AcceptOptions): Channel;
  /** @param reason of RFC 4254 section 5.1, see `OpenFailureReason` */
  refuse(reason: number, description: string): void;
}

/** What an accepted channel may be told. */
export interface AcceptOptions extends Partial<ChannelLimits> {
  /** The peer sends a request on the channel; without a handler it is answered with failure (RFC 4254 section 5.4). */
  readonly onRequest?: (request: IncomingChannelRequest) => void;
}

/** The peer sent a channel request (RFC 4254 section 5.4). Answer once, now or later. */
export interface IncomingChannelRequest {
  readonly type: string;
  readonly specific: Bytes;
  readonly wantReply: boolean;
  accept(): void;
  refuse(): void;
}

/** The peer sent a global request (RFC 4254 section 4). Answer once, now or later; replies leave in the right order. */
export interface IncomingRequest {
  readonly name: string;
  readonly specific: Bytes;
  readonly wantReply: boolean;
  accept(specific?: Bytes): void;
  refuse(): void;
}

/** The peer's answer to a global request. */
export interface GlobalReply {
  readonly ok: boolean;
  readonly specific: Bytes;
}

/** What became known of the peer. */
export interface PeerInfo {
  /** its identification line */
  readonly version: string;
  /** what a server said before its identification */
  readonly lines: readonly string[];
  readonly algorithms: AlgorithmNames;
  readonly sessionId: Bytes;
}

/** What went over a connection so far. */
export interface ConnectionStats {
  /** bytes on the wire, everything included */
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly rekeys: number;
  /** of the last keepalive that was answered, in milliseconds */
  readonly roundTripMs: number | undefined;
  readonly channels: number;
}

/** Options of one call. */
export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

/** Options of a global request. */
export interface RequestOptions extends CallOptions {
  /** Called with the reply inside the handler of the message, before any message behind it is looked at. */
  readonly onReply?: (reply: GlobalReply) => void;
}

/** An open SSH connection, in either role. */
export interface SshConnection {
  readonly peer: PeerInfo;
  /** the user that logged on */
  readonly user: string;
  /** Resolves after `close`; rejects with an SshError when the connection ended in any other way. */
  readonly closed: Promise<void>;
  readonly channelCount: number;
  /** Opens a channel. @throws SshError `refused` with the peer's reason */
  openChannel(type: string, specific: Bytes, options?: CallOptions & Partial<ChannelLimits>): Promise<Channel>;
  /** Sends a global request and gives the reply. */
  request(name: string, specific: Bytes, options?: RequestOptions): Promise<GlobalReply>;
  /** Sends a global request that wants no reply. Does nothing when the connection has ended, nor does `debug`. */
  notify(name: string, specific: Bytes): void;
  /** Explains something to whoever reads the peer's log, in SSH_MSG_DEBUG (RFC 4253 section 11.3). */
  debug(message: string): void;
  stats(): ConnectionStats;
  /** Exchanges keys anew (RFC 4253 section 9); data goes on when it is done. */
  rekey(): void;
  /** Ends the connection with DISCONNECT. */
  close(): Promise<void>;
  /** Ends the connection because of an error; everything that waits rejects with it. */
  abort(error: SshError): void;
}

interface OpenWaiter {
  readonly type: string;
  resolve(channel: SshChannel): void;
  reject(error: unknown): void;
}
interface ReplyWaiter {
  resolve(reply: GlobalReply): void;
  reject(error: unknown): void;
}

/** The part of a connection that both roles share. The roles add the handling of their logon events. */
export class Connection implements SshConnection {
  readonly closed: Promise<void>;
  readonly #options: ConnectionOptions;
  readonly #driver: Driver;
  readonly #now: () => number;
  readonly #host: ChannelHost;
  readonly #channels = new Map<number, SshChannel>();
  readonly #opens = new Map<number, OpenWaiter>();
  readonly #replies: ReplyWaiter[] = [];
  #settleClosed: { resolve(): void; reject(error: SshError): void } = { resolve() {}, reject() {} };
  #opened: { resolve(): void; reject(error: SshError): void } | undefined;
  #end: { readonly error: SshError | undefined } | undefined;
  #user = "";
  #peer: Partial<PeerInfo> = {};
  #rekeys = 0;
  #roundTripMs: number | undefined;

  constructor(
    pipe: BytePipe,
    session: SessionMachine,
    options: ConnectionOptions,
    now: () => number,
    logonEvent: (event: SessionEvent, connection: Connection) => void,
  ) {
    this.#options = options;
    this.#now = now;
    this.closed = new Promise((resolve, reject) => {
      this.#settleClosed = { resolve, reject };
    });
    this.closed.catch(() => {});
    this.#driver = new Driver(pipe, session, now, {
      event: (event) => {
        if (!this.#event(event)) logonEvent(event, this);
      },
      probe: () => this.#probe(),
      ended: (error) => this.#ended(error),
    });
    this.#host = { machine: session.connection, touch: () => this.#driver.touch() };
  }

  get peer(): PeerInfo {
    return { lines: [], version: "", sessionId: new Uint8Array(0), algorithms: noAlgorithms, ...this.#peer };
  }

  get user(): string {
    return this.#user;
  }

  get channelCount(): number {
    return this.#host.machine.channelCount;
  }

  /** Runs the connection until the peer is logged on. @internal */
  async open(user: string): Promise<this> {
    this.#user = user;
    const { signal, logonTimeoutMs = Limits.logonTimeoutMs } = this.#options;
    const aborted = (): void => this.abort(new SshError("aborted", "the logon was aborted", { cause: signal?.reason }));
    signal?.addEventListener("abort", aborted, { once: true });
    const late = new SshError("timeout", `expected the logon to be done within ${logonTimeoutMs} ms`);
    const deadline = setTimeout(() => this.abort(late), logonTimeoutMs);
    try {
      await new Promise<void>((resolve, reject) => {
        this.#opened = { resolve, reject };
        this.#driver.start();
      });
    } finally {
      signal?.removeEventListener("abort", aborted);
      clearTimeout(deadline);
    }
    return this;
  }

  /** The peer is logged on. @internal */
  loggedOn(user: string): void {
    this.#user = user;
    const { keepAlive } = this.#options;
    if (keepAlive !== undefined && keepAlive.intervalMs > 0) {
      this.#driver.keepAlive = new KeepAlive(keepAlive, this.#now(), Date.now());
    }
    this.#opened?.resolve();
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

  async openChannel(
    type: string,
    specific: Bytes,
    { signal, window = Limits.window, maxPacket = Limits.maxPacket }: CallOptions & Partial<ChannelLimits> = {},
  ): Promise<Channel> {
    this.#expectOpen(signal);
    const { machine } = this.#host;
    return await new Promise<Channel>((resolve, reject) => {
      const id = machine.openChannel(type, specific, { window, maxPacket });
      this.#driver.touch();
      const aborted = (): void => {
        this.#opens.delete(id);
        machine.abandonOpen(id);
        reject(abortedError(signal));
      };
      const settled = (): void => signal?.removeEventListener("abort", aborted);
      signal?.addEventListener("abort", aborted, { once: true });
      this.#opens.set(id, {
        type,
        resolve(channel) {
          settled();
          resolve(channel);
        },
        reject(error) {
          settled();
          reject(error);
        },
      });
    });
  }

  async request(name: string, specific: Bytes, { signal, onReply }: RequestOptions = {}): Promise<GlobalReply> {
    this.#expectOpen(signal);
    return await new Promise<GlobalReply>((resolve, reject) => {
      const aborted = (): void => reject(abortedError(signal));
      const settled = (): void => signal?.removeEventListener("abort", aborted);
      signal?.addEventListener("abort", aborted, { once: true });
      // Every request that wants a reply stands in this one line, an aborted one too.
      this.#replies.push({
        resolve(reply) {
          settled();
          try {
            onReply?.(reply);
            resolve(reply);
          } catch (error) {
            reject(error);
          }
        },
        reject(error) {
          settled();
          reject(error);
        },
      });
      this.#host.machine.globalRequest(name, specific, true);
      this.#driver.touch();
    });
  }

  notify(name: string, specific: Bytes): void {
    if (this.#end !== undefined) return;
    this.#host.machine.globalRequest(name, specific, false);
    this.#driver.touch();
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

  async close(): Promise<void> {
    await this.#driver.close(disconnectReason(undefined), "closed by the program");
  }

  abort(error: SshError): void {
    this.#driver.fail(error);
  }

  stats(): ConnectionStats {
    const { bytesIn, bytesOut } = this.#driver;
    return { bytesIn, bytesOut, rekeys: this.#rekeys, roundTripMs: this.#roundTripMs, channels: this.channelCount };
  }

  /** Asks the peer for any sign of life. Its answer stands in the one line of replies; nobody waits for it. */
  #probe(): void {
    const asked = this.#now();
    const answered = (): void => {
      this.#roundTripMs = this.#now() - asked;
    };
    this.#replies.push({ resolve: answered, reject() {} });
    this.#host.machine.globalRequest("keepalive@openssh.com", new Uint8Array(0), true);
  }

  /** Handles what is no matter of a role's logon. */
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
      case "closed":
        this.#channels.get(event.id)?.ended(undefined);
        this.#channels.delete(event.id);
        return true;
      case "open":
        this.#incomingOpen(event.id, event.channelType, event.specific);
        return true;
      case "opened":
        this.#opens.get(event.id)?.resolve(this.#addChannel(event.id, this.#opens.get(event.id)?.type ?? ""));
        this.#opens.delete(event.id);
        return true;
      case "openFailed": {
        const { reason, description } = event;
        const message = `the peer refused the channel: ${quote(description)} (reason ${reason})`;
        this.#opens.get(event.id)?.reject(new SshError("refused", message, { reason }));
        this.#opens.delete(event.id);
        return true;
      }
      case "request":
        this.#channelRequest(event.id, event.requestType, event.specific, event.slot);
        return true;
      case "reply":
        this.#channels.get(event.id)?.replied(event.ok);
        return true;
      case "globalRequest":
        this.#incomingRequest(event.name, event.specific, event.slot);
        return true;
      case "globalReply":
        this.#replies.shift()?.resolve({ ok: event.ok, specific: event.specific });
        return true;
      case "debug":
        this.#options.onDebug?.(event.message, event.alwaysDisplay);
        return true;
      case "unimplemented":
        // Some servers answer every global request this way; it stands for a failure (RFC 4253 section 11.4).
        this.#host.machine.unimplemented();
        return true;
      case "disconnect": {
        const { reason, description } = event;
        // A server that has had enough attempts hangs up instead of refusing one more.
        const code = this.#driver.session.refusedLogon ? "auth" : "disconnected";
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
      case "hostKey":
      case "sign":
      case "step":
      case "banner":
      case "authenticated":
      case "attempt":
      case "responses":
      case "abandoned":
        return false;
      default:
        return event satisfies never;
    }
  }

  #incomingOpen(id: number, type: string, specific: Bytes): void {
    const { machine } = this.#host;
    let answered = false;
    const answer = (): boolean => {
      if (answered) throw new SshError("misuse", "expected one answer to a channel open");
      answered = true;
      return this.#end === undefined;
    };
    const open: IncomingOpen = {
      type,
      id,
      specific,
      accept: ({ onRequest, window = Limits.window, maxPacket = Limits.maxPacket } = {}) => {
        if (!answer()) throw this.#end?.error ?? new SshError("closed", "expected an open connection to accept a channel on");
        machine.confirmOpen(id, undefined, { window, maxPacket });
        this.#driver.touch();
        return this.#addChannel(id, type, onRequest);
      },
      refuse: (reason, description) => {
        if (!answer()) return;
        machine.refuseOpen(id, reason, description);
        this.#driver.touch();
      },
    };
    if (this.#options.onChannelOpen !== undefined) this.#options.onChannelOpen(open, this);
    else open.refuse(OpenFailureReason.ADMINISTRATIVELY_PROHIBITED, "no channels are accepted");
  }

  #incomingRequest(name: string, specific: Bytes, slot: ReplySlot | undefined): void {
    const { machine } = this.#host;
    let answered = false;
    const answer = (ok: boolean, reply?: Bytes): void => {
      if (answered) throw new SshError("misuse", "expected one answer to a global request");
      answered = true;
      if (slot === undefined || this.#end !== undefined) return;
      machine.replyGlobal(slot, ok, reply);
      this.#driver.touch();
    };
    const request: IncomingRequest = {
      name,
      specific,
      wantReply: slot !== undefined,
      accept: (reply) => answer(true, reply),
      refuse: () => answer(false),
    };
    if (this.#options.onGlobalRequest === undefined) request.refuse();
    else this.#options.onGlobalRequest(request, this);
  }

  #channelRequest(id: number, type: string, specific: Bytes, slot: ReplySlot | undefined): void {
    const { machine } = this.#host;
    let answered = false;
    const answer = (ok: boolean): void => {
      if (answered) throw new SshError("misuse", "expected one answer to a channel request");
      answered = true;
      if (slot === undefined || this.#end !== undefined) return;
      machine.reply(id, slot, ok);
      this.#driver.touch();
    };
    const accept = (): void => answer(true);
    const refuse = (): void => answer(false);
    const { onRequest } = this.#channels.get(id) ?? {};
    if (onRequest !== undefined) onRequest({ type, specific, wantReply: slot !== undefined, accept, refuse });
    // RFC 4254 section 5.4: a request that is not recognized is answered with failure. sshd probes clients this way.
    else refuse();
  }

  #addChannel(id: number, type: string, onRequest?: AcceptOptions["onRequest"]): SshChannel {
    const channel = new SshChannel(type, id, this.#host, onRequest);
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
    for (const waiter of [...this.#opens.values(), ...this.#replies.splice(0)]) waiter.reject(reason);
    this.#opens.clear();
    for (const channel of this.#channels.values()) channel.ended(reason);
    this.#channels.clear();
    this.#opened?.reject(reason);
    if (error === undefined) this.#settleClosed.resolve();
    else this.#settleClosed.reject(error);
  }
}

const noAlgorithms: AlgorithmNames = {
  kex: "",
  hostKey: "",
  cipherC2s: "",
  cipherS2c: "",
  macC2s: undefined,
  macS2c: undefined,
};

function abortedError(signal: AbortSignal | undefined): SshError {
  return new SshError("aborted", "the call was aborted", { cause: signal?.reason });
}
