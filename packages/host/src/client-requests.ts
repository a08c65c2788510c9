/** Requests of a client after login: ports, direct connections, and sessions without a shell. @module */

import type { Signer } from "@postern/crypto";
import type { BytePipe, IncomingOpen, IncomingRequest, SshConnection } from "@postern/ssh";
import {
  OpenFailureReason,
  quote,
  SshError,
  StreamlocalForward,
  sanitizeText,
  TcpipForward,
  toSshError,
} from "@postern/wire";
import * as Limits from "@postern/wire/limits";
import { ChannelBudget, type Share, VisitorBudget } from "./channel-budget.ts";
import {
  addressText,
  ClientForwardings,
  type ForwardingsContext,
  type Outcome,
  placeText,
} from "./client-forwardings.ts";
import type { HostForwarding } from "./client-view.ts";
import { type DirectChannelContext, type DirectTarget, openDirectChannel, openDirectSocket } from "./direct-channel.ts";
import { HostVisitorEvent, RefusalEvent } from "./events.ts";
import type { Requested } from "./forwarding.ts";
import type { Exceeded } from "./host-budget.ts";
import type { ClientContext } from "./host-context.ts";
import { proveHostKeys } from "./host-keys.ts";
import type { LimitName } from "./limits.ts";
import type { ClientGrants } from "./permissions.ts";
import type { Address, HostPlatform } from "./platform.ts";
import { acceptSession, type Session } from "./session-channel.ts";
import type { TakeoverClient } from "./takeover.ts";

/** A client needs one proof of the host keys, and each costs signatures. */
const maxProofs = 4;
/** How long connections to slow visitors may outlive their client. */
const lingerMs = 10_000;
const isClosing: Exceeded = { reason: "the server is closing", limit: undefined };

/** The requests of one client, and its forwardings, sessions and channels. */
export class ClientRequests implements ForwardingsContext, DirectChannelContext {
  readonly grants: () => ClientGrants | undefined;
  readonly free: HostPlatform["free"];
  readonly #client: TakeoverClient;
  readonly #context: ClientContext;
  readonly #budget: ChannelBudget;
  readonly #visitors: VisitorBudget;
  readonly #forwardings: ClientForwardings;
  /** The keys that the client was shown. A reload does not change them. */
  readonly #hostKeys: readonly Signer[];
  readonly #sessions = new Set<Session>();
  readonly #pipes = new Set<BytePipe>();
  #linger: ReturnType<typeof setTimeout> | undefined;
  /** Targets that have not answered, each with a signal of its own: Node.js warns of ten listeners to one signal. */
  readonly #dials = new Set<AbortController>();
  /** Requests run one after the other: replies stay in order, and a cancel finds the forwarding before it. */
  #queue: Promise<void> = Promise.resolve();
  #queued = 0;
  /** Requests whose reply may have been sent, but not everything that follows it. */
  #unfinished = 0;
  #proofs = 0;
  #acceptsSessions = true;
  #ended: Promise<void> | undefined;
  #closing = false;

  constructor(client: TakeoverClient, context: ClientContext, grants: () => ClientGrants | undefined) {
    this.#client = client;
    this.#context = context;
    this.grants = grants;
    this.free = context.platform.free;
    this.#budget = new ChannelBudget(context.options.limits, context.budget, () => client.account);
    this.#visitors = new VisitorBudget(this.#budget, () => context.options.limits);
    this.#forwardings = new ClientForwardings(client, context, this);
    this.#hostKeys = context.options.hostKeys;
  }

  get forwardings(): readonly HostForwarding[] {
    return this.#forwardings.list;
  }

  get isClosing(): boolean {
    return this.#closing;
  }

  get channels(): number {
    return this.#budget.used;
  }

  /** Handles a global request (RFC 4254 section 4). */
  globalRequest(request: IncomingRequest, connection: SshConnection): void {
    switch (request.name) {
      case "tcpip-forward": {
        const requested = TcpipForward.decode(request.specificData);
        this.#enqueue(request, connection, () => this.#forwardings.listen(requested, request.wantReply, connection));
        return;
      }
      case "cancel-tcpip-forward": {
        const requested = TcpipForward.decode(request.specificData);
        this.#enqueue(request, connection, () => this.#forwardings.cancel(requested));
        return;
      }
      case "streamlocal-forward@openssh.com": {
        const requested = socketOf(request);
        this.#enqueue(request, connection, () => this.#forwardings.listen(requested, request.wantReply, connection));
        return;
      }
      case "cancel-streamlocal-forward@openssh.com": {
        const requested = socketOf(request);
        this.#enqueue(request, connection, () => this.#forwardings.cancel(requested));
        return;
      }
      case "hostkeys-prove-00@openssh.com":
        if (!request.wantReply || ++this.#proofs > maxProofs) request.refuse();
        else {
          this.#enqueue(request, connection, async () => ({
            reply: await proveHostKeys(connection, this.#hostKeys, request.specificData),
          }));
        }
        return;
      case "no-more-sessions@openssh.com":
        this.#acceptsSessions = false;
        request.accept();
        return;
      default:
        request.refuse();
    }
  }

  /** Handles a channel that the client opens (RFC 4254 section 5.1). */
  channelOpen(open: IncomingOpen): void {
    switch (open.type) {
      case "session":
        this.#openSession(open);
        return;
      case "direct-tcpip":
        void openDirectChannel(open, this);
        return;
      case "direct-streamlocal@openssh.com":
        void openDirectSocket(open, this);
        return;
      default:
        open.refuse(OpenFailureReason.UNKNOWN_CHANNEL_TYPE, "this server only forwards ports");
    }
  }

  /** Accepts no new requests. Resolves when all channels have ended. */
  async drain(): Promise<void> {
    this.#closing = true;
    await this.#forwardings.closeAll();
    await this.#budget.whenIdle();
  }

  /** Frees all ports, because the connection has ended. */
  end(): Promise<void> {
    this.#ended ??= this.#end();
    return this.#ended;
  }

  async #end(): Promise<void> {
    this.#closing = true;
    for (const abort of this.#dials) abort.abort(clientDisconnected());
    this.#sessions.clear();
    await this.#forwardings.closeAll();
    if (this.#pipes.size === 0) return;
    // Pipes of channels that ended properly may still hold bytes for slow visitors.
    this.#linger = setTimeout(() => {
      for (const pipe of this.#pipes) pipe.abort(clientDisconnected());
    }, lingerMs);
  }

  takeShare(): Share | Exceeded {
    return this.#closing ? isClosing : this.#budget.take();
  }

  takeVisitorShare(forwarding: HostForwarding, { host }: Address): Share | Exceeded {
    return this.#closing ? isClosing : this.#visitors.take(forwarding, host);
  }

  adopt(pipe: BytePipe): () => void {
    this.#pipes.add(pipe);
    return () => {
      this.#pipes.delete(pipe);
      if (this.#pipes.size === 0) clearTimeout(this.#linger);
    };
  }

  async dial(target: DirectTarget): Promise<BytePipe> {
    const { platform, options } = this.#context;
    const abort = new AbortController();
    if (this.#closing) abort.abort(clientDisconnected());
    this.#dials.add(abort);
    const how = { signal: abort.signal, timeoutMs: options.limits.targetTimeoutMs };
    try {
      if (!("path" in target)) return await platform.dial(target, how);
      if (platform.dialPath === undefined) throw new SshError("connect", "expected a platform with UNIX sockets");
      return await platform.dialPath(target.path, how);
    } finally {
      this.#dials.delete(abort);
    }
  }

  channelRefused(target: DirectTarget, reason: string, limit?: LimitName): void {
    const place = "path" in target ? quote(target.path) : addressText(target.host, target.port);
    const text = `${place}: ${reason}`;
    this.#context.emit(new RefusalEvent("channel", text, this.#client, this.#client.origin, limit));
  }

  visitorAccepted(forwarding: HostForwarding, origin: Address): void {
    const visitor = forwarding.path === undefined ? addressText(origin.host, origin.port) : "a program";
    const text = `${visitor} connected to ${placeText(forwarding)}`;
    for (const session of this.#sessions) session.print(text);
    this.#context.emit(new HostVisitorEvent(this.#client, forwarding, origin));
  }

  visitorRefused(origin: Address, reason: string, limit?: LimitName): void {
    this.#context.emit(new RefusalEvent("visitor", reason, this.#client, origin, limit));
  }

  /** Runs `work` once the requests before this one are answered. An error in `work` refuses the request. */
  #enqueue(request: IncomingRequest, connection: SshConnection, work: () => Promise<Outcome>): void {
    if (++this.#queued > Limits.unansweredRequests) {
      throw new SshError("limit", `expected at most ${Limits.unansweredRequests} unanswered requests, got more`);
    }
    const answer = async (): Promise<void> => {
      let outcome: Outcome;
      try {
        outcome = await work();
      } catch (error) {
        if (error instanceof SshError && error.code === "protocol") throw error;
        request.refuse();
        return;
      } finally {
        this.#queued--;
      }
      request.accept(outcome.reply);
      await outcome.after?.();
    };
    const failed = (error: unknown): void => {
      connection.abort(toSshError(error, "protocol", "a request could not be answered"));
    };
    const finished = (): void => {
      this.#unfinished--;
    };
    this.#unfinished++;
    this.#queue = this.#queue.then(answer).catch(failed).then(finished);
  }

  forwardingOpened(forwarding: HostForwarding): void {
    for (const session of this.#sessions) session.print(describeForwarding(forwarding));
  }

  #openSession(open: IncomingOpen): void {
    const { sessions } = this.#context.options.limits;
    if (!this.#acceptsSessions || this.#closing || this.#sessions.size >= sessions) {
      open.refuse(OpenFailureReason.RESOURCE_SHORTAGE, "no more sessions on this connection");
      const limit = this.#sessions.size >= sessions ? "sessions" : undefined;
      this.#context.emit(new RefusalEvent("channel", "no more sessions", this.#client, this.#client.origin, limit));
      return;
    }
    const describe = (): string[] => this.forwardings.map(describeForwarding);
    // ssh asks for its ports before its shell.
    const listening = (): string[] | Promise<string[]> =>
      this.#unfinished === 0 ? describe() : this.#queue.then(describe);
    const session: Session = acceptSession(open, listening, () => this.#sessions.delete(session));
    this.#sessions.add(session);
  }
}

function socketOf({ specificData }: IncomingRequest): Requested {
  const { path } = StreamlocalForward.decode(specificData);
  return { address: path, port: 0, path };
}

function describeForwarding(forwarding: HostForwarding): string {
  const { url } = forwarding;
  return `listening on ${placeText(forwarding)}${url === undefined ? "" : `: ${sanitizeText(url)}`}`;
}

function clientDisconnected(): SshError {
  return new SshError("closed", "the client disconnected");
}
