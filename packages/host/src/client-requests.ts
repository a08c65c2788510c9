/** Requests of a client after login: ports, direct connections, and sessions without a shell. @module */
import type { BytePipe, IncomingOpen, IncomingRequest, SshConnection } from "@postern/ssh";
import {
  type Bytes,
  OpenFailureReason,
  quote,
  SshError,
  sanitizeText,
  TcpipForward,
  TcpipForwardReply,
  toSshError,
  type ValuesOf,
} from "@postern/wire";
import * as Limits from "@postern/wire/limits";
import { bindAddresses } from "./addresses.ts";
import { ChannelBudget, type Share, VisitorBudget } from "./channel-budget.ts";
import type { HostClient, HostForwarding } from "./client-view.ts";
import { type DirectChannelContext, openDirectChannel } from "./direct-channel.ts";
import { HostForwardingEvent, RefusalEvent } from "./events.ts";
import { Forwarding, type ForwardingContext } from "./forwarding.ts";
import type { HostContext } from "./host-context.ts";
import { proveHostKeys } from "./host-keys.ts";
import type { Grants } from "./permissions.ts";
import type { Address, HostPlatform } from "./platform.ts";
import { acceptSession, type Session } from "./session-channel.ts";

/** The result of an asynchronous request that succeeded. */
interface Outcome {
  readonly reply?: Bytes | undefined;
  /** Called after the reply has been sent. */
  readonly after?: () => void;
}

type AddressAndPort = ValuesOf<typeof TcpipForward>;

/** A client needs one proof of the host keys, and each costs signatures. */
const maxProofs = 4;
/** How long connections to slow visitors may outlive their client. */
const lingerMs = 10_000;

/** The requests of one client, and its forwardings, sessions and channels. */
export class ClientRequests implements ForwardingContext, DirectChannelContext {
  readonly grants: () => Grants | undefined;
  readonly free: HostPlatform["free"];
  readonly #client: HostClient;
  readonly #context: HostContext;
  readonly #budget: ChannelBudget;
  readonly #visitors: VisitorBudget;
  readonly #forwardings = new Set<Forwarding>();
  readonly #sessions = new Set<Session>();
  readonly #pipes = new Set<BytePipe>();
  #linger: ReturnType<typeof setTimeout> | undefined;
  /** Targets that have not answered, each with a signal of its own: Node.js warns of ten listeners to one signal. */
  readonly #dials = new Set<AbortController>();
  /** Requests run one after the other: replies stay in order, and a cancel finds the forwarding before it. */
  #queue: Promise<void> = Promise.resolve();
  #queued = 0;
  #proofs = 0;
  #acceptsSessions = true;
  #closing = false;

  constructor(client: HostClient, context: HostContext, grants: () => Grants | undefined) {
    this.#client = client;
    this.#context = context;
    this.grants = grants;
    this.free = context.platform.free;
    this.#budget = new ChannelBudget(context.options.limits);
    this.#visitors = new VisitorBudget(this.#budget, context.options.limits);
  }

  get forwardings(): readonly HostForwarding[] {
    return [...this.#forwardings];
  }

  get channels(): number {
    return this.#budget.used;
  }

  /** Handles a global request (RFC 4254 section 4). */
  globalRequest(request: IncomingRequest, connection: SshConnection): void {
    switch (request.name) {
      case "tcpip-forward": {
        const requested = TcpipForward.decode(request.specificData);
        this.#enqueue(request, connection, () => this.#listen(request, requested, connection));
        return;
      }
      case "cancel-tcpip-forward": {
        const requested = TcpipForward.decode(request.specificData);
        this.#enqueue(request, connection, () => this.#cancel(requested));
        return;
      }
      case "hostkeys-prove-00@openssh.com":
        if (!request.wantReply || ++this.#proofs > maxProofs) request.refuse();
        else {
          this.#enqueue(request, connection, async () => ({
            reply: await proveHostKeys(connection, this.#context.options.hostKeys, request.specificData),
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
      default:
        open.refuse(OpenFailureReason.UNKNOWN_CHANNEL_TYPE, "this server only forwards ports");
    }
  }

  /** Accepts no new requests. Resolves when all channels have ended. */
  async drain(): Promise<void> {
    this.#closing = true;
    await this.#closeAll();
    await this.#budget.whenIdle();
  }

  /** Frees all ports, because the connection has ended. */
  async end(): Promise<void> {
    this.#closing = true;
    for (const abort of this.#dials) abort.abort(clientDisconnected());
    this.#sessions.clear();
    await this.#closeAll();
    if (this.#pipes.size === 0) return;
    // Pipes of channels that ended properly may still hold bytes for slow visitors.
    this.#linger = setTimeout(() => {
      for (const pipe of this.#pipes) pipe.abort(clientDisconnected());
    }, lingerMs);
  }

  takeShare(): Share | undefined {
    return this.#closing ? undefined : this.#budget.take();
  }

  takeVisitorShare(forwarding: HostForwarding, { host }: Address): Share | string {
    return this.#closing ? "the server is closing" : this.#visitors.take(forwarding, host);
  }

  adopt(pipe: BytePipe): () => void {
    this.#pipes.add(pipe);
    return () => {
      this.#pipes.delete(pipe);
      if (this.#pipes.size === 0) clearTimeout(this.#linger);
    };
  }

  async dial(target: Address): Promise<BytePipe> {
    const { targetTimeoutMs: timeoutMs } = this.#context.options.limits;
    const abort = new AbortController();
    if (this.#closing) abort.abort(clientDisconnected());
    this.#dials.add(abort);
    try {
      return await this.#context.platform.dial(target, { signal: abort.signal, timeoutMs });
    } finally {
      this.#dials.delete(abort);
    }
  }

  channelRefused({ host, port }: Address, reason: string): void {
    const text = `${addressText(host, port)}: ${reason}`;
    this.#context.emit(new RefusalEvent("channel", text, this.#client, this.#client.origin));
  }

  visitorRefused(origin: Address, reason: string): void {
    this.#context.emit(new RefusalEvent("visitor", reason, this.#client, origin));
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
      outcome.after?.();
    };
    this.#queue = this.#queue.then(answer).catch((error: unknown) => {
      connection.abort(toSshError(error, "protocol", "a request could not be answered"));
    });
  }

  async #listen(request: IncomingRequest, requested: AddressAndPort, connection: SshConnection): Promise<Outcome> {
    const { address, port } = requested;
    if (this.#closing) throw this.#refused(requested, "the server is closing");
    const refusal = this.#refusal(requested, request.wantReply);
    if (refusal !== undefined) {
      // Sent before the refusal, which carries no reason: without one, clients retry as they do when a port is in use.
      connection.debug(`${refusal}: ${addressText(address, port)}`);
      throw this.#refused(requested, refusal);
    }
    const { hosts, notice } = bindAddresses(address, this.#context.options.gatewayPorts);
    const forwarding = new Forwarding(address, hosts, connection, this);
    try {
      await forwarding.listen(this.#context.platform, port);
    } catch (error) {
      await forwarding.close();
      throw this.#refused(requested, error instanceof Error ? error.message : "listening failed");
    }
    if (this.#closing) {
      await forwarding.close();
      throw clientDisconnected();
    }
    this.#forwardings.add(forwarding);
    if (notice !== undefined) connection.debug(`${notice}: ${addressText(address, forwarding.port)}`);
    const reply = port === 0 ? TcpipForwardReply.encode({ port: forwarding.port }) : undefined;
    return { reply, after: () => this.#opened(forwarding) };
  }

  #opened(forwarding: Forwarding): void {
    forwarding.ready();
    const text = `listening on ${addressText(forwarding.address, forwarding.port)}`;
    for (const session of this.#sessions) session.print(text);
    this.#context.emit(new HostForwardingEvent("forwardingopened", this.#client, forwarding));
  }

  /**
   * Returns why the client may not listen there. Clients retry a port that is in use, and recognize a final refusal by
   * sshd's words "not permitted" and "denied".
   */
  #refusal({ address, port }: AddressAndPort, wantReply: boolean): string | undefined {
    const { lowestPort, forwardings } = this.#context.options.limits;
    if (port > Limits.maxPort) return `ports above ${Limits.maxPort} are not permitted`;
    // As sshd does: the client would never learn the port.
    if (port === 0 && !wantReply) return "port 0 without a reply is not permitted";
    // Events carry the address unescaped.
    if (sanitizeText(address) !== address) return "unprintable characters are not permitted";
    if (this.#find(address, port) !== undefined) return "already forwarded";
    if (port !== 0 && port < lowestPort) return `ports below ${lowestPort} are not permitted`;
    if (this.grants()?.mayListen(address, port) !== true) return "permission denied";
    if (this.#forwardings.size >= forwardings) return `more than ${forwardings} ports are not permitted`;
    return undefined;
  }

  #refused({ address, port }: AddressAndPort, reason: string): SshError {
    const text = `${addressText(address, port)}: ${reason}`;
    this.#context.emit(new RefusalEvent("forwarding", text, this.#client, this.#client.origin));
    return new SshError("refused", text);
  }

  async #cancel({ address, port }: AddressAndPort): Promise<Outcome> {
    // As sshd does: the address must equal the requested one, the port must be the assigned one.
    const forwarding = this.#find(address, port);
    if (forwarding === undefined) {
      throw new SshError("refused", `expected a forwarding of ${addressText(address, port)}, got none`);
    }
    await this.#close(forwarding);
    return {};
  }

  #find(address: string, port: number): Forwarding | undefined {
    for (const one of this.#forwardings) if (one.address === address && one.port === port) return one;
    return undefined;
  }

  async #close(forwarding: Forwarding): Promise<void> {
    if (!this.#forwardings.delete(forwarding)) return;
    await forwarding.close();
    this.#context.emit(new HostForwardingEvent("forwardingclosed", this.#client, forwarding));
  }

  async #closeAll(): Promise<void> {
    await Promise.allSettled([...this.#forwardings].map((forwarding) => this.#close(forwarding)));
  }

  #openSession(open: IncomingOpen): void {
    if (!this.#acceptsSessions || this.#closing || this.#sessions.size >= this.#context.options.limits.sessions) {
      open.refuse(OpenFailureReason.RESOURCE_SHORTAGE, "no more sessions on this connection");
      return;
    }
    const listening = (): string[] => this.forwardings.map(({ address, port }) => addressText(address, port));
    const session: Session = acceptSession(open, listening, () => this.#sessions.delete(session));
    this.#sessions.add(session);
  }
}

function addressText(address: string, port: number): string {
  return `${quote(address)} port ${port}`;
}

function clientDisconnected(): SshError {
  return new SshError("closed", "the client disconnected");
}
