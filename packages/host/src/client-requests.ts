/** What a logged-on client may ask for: ports, connections, and sessions that only talk. @module */
import type { BytePipe, IncomingOpen, IncomingRequest, SshConnection } from "@postern/ssh";
import {
  type Bytes,
  Limits,
  OpenFailureReason,
  RfcLimits,
  SshError,
  sanitizeText,
  TcpipForward,
  TcpipForwardReply,
  toSshError,
  type ValuesOf,
} from "@postern/wire";
import { bindAddresses } from "./addresses.ts";
import { ChannelBudget, type Share } from "./channel-budget.ts";
import { type DirectOwner, openDirect } from "./direct-channel.ts";
import { type HostForwarding, HostForwardingEvent, RefusalEvent } from "./events.ts";
import { Forwarding, type ForwardingOwner } from "./forwardings.ts";
import type { HostClient, HostContext } from "./host-client.ts";
import { proveHostKeys } from "./host-keys.ts";
import type { Grants } from "./permissions.ts";
import type { Address, HostPlatform } from "./platform.ts";
import { acceptSession, describe, type Session } from "./session-channel.ts";
import { VisitorBudget } from "./visitor-budget.ts";

/** What a request that takes time ends with, when it is not refused. */
interface Outcome {
  readonly reply?: Bytes | undefined;
  /** to be done when the reply is on its way */
  readonly after?: () => void;
}

type AddressAndPort = ValuesOf<typeof TcpipForward>;

/** How many proofs of our host keys one client may ask for: each costs signatures, and it needs one. */
const maxProofs = 4;
/** How long what visitors have not read yet may outlive their client. */
const lingerMs = 10_000;

/** The requests of one client, and what came of them. */
export class ClientRequests implements ForwardingOwner, DirectOwner {
  readonly #client: HostClient;
  readonly #core: HostContext;
  readonly #grants: () => Grants | undefined;
  readonly #budget: ChannelBudget;
  readonly #visitors: VisitorBudget;
  readonly #forwardings = new Set<Forwarding>();
  readonly #sessions = new Set<Session>();
  readonly #pipes = new Set<BytePipe>();
  #linger: ReturnType<typeof setTimeout> | undefined;
  readonly #abort = new AbortController();
  /** requests that take time are worked on one after the other: replies leave in their order, and a cancel sees what was opened */
  #queue: Promise<void> = Promise.resolve();
  #queued = 0;
  #proofs = 0;
  #takesSessions = true;
  #closing = false;

  constructor(client: HostClient, core: HostContext, grants: () => Grants | undefined) {
    this.#client = client;
    this.#core = core;
    this.#grants = grants;
    this.#budget = new ChannelBudget(core.options.limits);
    this.#visitors = new VisitorBudget(this.#budget, core.options.limits);
  }

  get forwardings(): readonly HostForwarding[] {
    return [...this.#forwardings];
  }

  get channels(): number {
    return this.#budget.used;
  }

  /** A global request, RFC 4254 section 4. */
  global(request: IncomingRequest, connection: SshConnection): void {
    switch (request.name) {
      case "tcpip-forward": {
        const wanted = TcpipForward.decode(request.specificData);
        this.#inTurn(request, connection, () => this.#listen(request, wanted, connection));
        return;
      }
      case "cancel-tcpip-forward": {
        const wanted = TcpipForward.decode(request.specificData);
        this.#inTurn(request, connection, () => this.#cancel(wanted));
        return;
      }
      case "hostkeys-prove-00@openssh.com":
        if (!request.wantReply || ++this.#proofs > maxProofs) request.refuse();
        else {
          this.#inTurn(request, connection, async () => ({
            reply: await proveHostKeys(connection, this.#core.options.hostKeys, request.specificData),
          }));
        }
        return;
      case "no-more-sessions@openssh.com":
        this.#takesSessions = false;
        request.accept();
        return;
      default:
        request.refuse();
    }
  }

  /** The client opens a channel. */
  channel(open: IncomingOpen): void {
    switch (open.type) {
      case "session":
        this.#session(open);
        return;
      case "direct-tcpip":
        void openDirect(open, this);
        return;
      default:
        open.refuse(OpenFailureReason.UNKNOWN_CHANNEL_TYPE, "this host only forwards ports");
    }
  }

  /** Takes nothing new; resolves when all channels have ended. */
  async drain(): Promise<void> {
    this.#closing = true;
    await this.#closeAll();
    await this.#budget.whenIdle();
  }

  /** The connection is over. */
  async end(): Promise<void> {
    this.#closing = true;
    this.#abort.abort(new SshError("closed", "the client is gone"));
    this.#sessions.clear();
    await this.#closeAll();
    if (this.#pipes.size === 0) return;
    // Channels that ended well may still have bytes for slow visitors.
    this.#linger = setTimeout(() => {
      for (const pipe of this.#pipes) pipe.abort(new SshError("closed", "the client is gone"));
    }, lingerMs);
  }

  takeShare(): Share | undefined {
    return this.#closing ? undefined : this.#budget.take();
  }

  takeVisitorShare(forwarding: HostForwarding, { host }: Address): Share | string {
    return this.#closing ? "the host is closing" : this.#visitors.take(forwarding, host);
  }

  adopt(pipe: BytePipe): () => void {
    this.#pipes.add(pipe);
    return () => {
      this.#pipes.delete(pipe);
      if (this.#pipes.size === 0) clearTimeout(this.#linger);
    };
  }

  get free(): HostPlatform["free"] {
    return this.#core.platform.free;
  }

  grants(): Grants | undefined {
    return this.#grants();
  }

  dial(target: Address): Promise<BytePipe> {
    const { targetTimeoutMs: timeoutMs } = this.#core.options.limits;
    return this.#core.platform.dial(target, { signal: this.#abort.signal, timeoutMs });
  }

  refusedChannel({ host, port }: Address, reason: string): void {
    const text = `${describe(host, port)}: ${reason}`;
    this.#core.emit(new RefusalEvent("channel", text, this.#client, this.#client.origin));
  }

  refusedVisitor(_forwarding: HostForwarding, origin: Address, reason: string): void {
    this.#core.emit(new RefusalEvent("visitor", reason, this.#client, origin));
  }

  /** Works on a request when those before it are done; `work` gives the reply, and whatever it throws refuses. */
  #inTurn(request: IncomingRequest, connection: SshConnection, work: () => Promise<Outcome>): void {
    if (++this.#queued > Limits.unansweredRequests) {
      throw new SshError("limit", `expected at most ${Limits.unansweredRequests} requests to wait`);
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

  async #listen(request: IncomingRequest, wanted: AddressAndPort, connection: SshConnection): Promise<Outcome> {
    const { address, port } = wanted;
    if (this.#closing) throw this.#refused(wanted, "the host is closing");
    const refusal = this.#refusal(wanted, request.wantReply);
    if (refusal !== undefined) {
      // Said before the refusal. A client that hears nothing takes it that this may change, as with a port in use, and tries again.
      connection.debug(`${refusal}: ${describe(address, port)}`);
      throw this.#refused(wanted, refusal);
    }
    const { hosts, notice } = bindAddresses(address, this.#core.options.gatewayPorts);
    const forwarding = new Forwarding(address, hosts, connection, this);
    try {
      await forwarding.listen(this.#core.platform, port);
    } catch (error) {
      await forwarding.close();
      throw this.#refused(wanted, error instanceof Error ? error.message : "listening failed");
    }
    if (this.#closing) {
      await forwarding.close();
      throw new SshError("closed", "the client is gone");
    }
    this.#forwardings.add(forwarding);
    if (notice !== undefined) connection.debug(`${notice}: ${describe(address, forwarding.port)}`);
    const reply = port === 0 ? TcpipForwardReply.encode({ port: forwarding.port }) : undefined;
    return { reply, after: () => this.#opened(forwarding) };
  }

  #opened(forwarding: Forwarding): void {
    forwarding.ready();
    for (const session of this.#sessions) session.say(`listening on ${describe(forwarding.address, forwarding.port)}`);
    this.#core.emit(new HostForwardingEvent("forwardingopened", this.#client, forwarding));
  }

  /**
   * Why the client may not listen there. What is final says "not permitted" or "denied": clients tell a policy by these words of sshd,
   * and ask again for a port that is merely in use.
   */
  #refusal({ address, port }: AddressAndPort, wantReply: boolean): string | undefined {
    const { lowestPort, forwardings } = this.#core.options.limits;
    if (port > RfcLimits.maxPort) return `ports above ${RfcLimits.maxPort} are not permitted`;
    // As sshd: the client would never learn the port.
    if (port === 0 && !wantReply) return "port 0 without a reply is not permitted";
    // The address reaches events as it is.
    if (sanitizeText(address) !== address) return "unprintable characters are not permitted";
    if (this.#find(address, port) !== undefined) return "already forwarded";
    if (port !== 0 && port < lowestPort) return `ports below ${lowestPort} are not permitted`;
    if (this.#grants()?.mayListen(address, port) !== true) return "permission denied";
    if (this.#forwardings.size >= forwardings) return `more than ${forwardings} ports are not permitted`;
    return undefined;
  }

  #refused({ address, port }: AddressAndPort, reason: string): SshError {
    const text = `${describe(address, port)}: ${reason}`;
    this.#core.emit(new RefusalEvent("forwarding", text, this.#client, this.#client.origin));
    return new SshError("refused", text);
  }

  async #cancel({ address, port }: AddressAndPort): Promise<Outcome> {
    // As sshd: by the very same words, and the port that was given.
    const forwarding = this.#find(address, port);
    if (forwarding === undefined) throw new SshError("refused", `expected ${describe(address, port)} to be forwarded`);
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
    this.#core.emit(new HostForwardingEvent("forwardingclosed", this.#client, forwarding));
  }

  async #closeAll(): Promise<void> {
    await Promise.allSettled([...this.#forwardings].map((forwarding) => this.#close(forwarding)));
  }

  #session(open: IncomingOpen): void {
    if (!this.#takesSessions || this.#closing || this.#sessions.size >= this.#core.options.limits.sessions) {
      open.refuse(OpenFailureReason.RESOURCE_SHORTAGE, "no more sessions on this connection");
      return;
    }
    const listening = (): string[] => this.forwardings.map(({ address, port }) => describe(address, port));
    const session: Session = acceptSession(open, { listening }, () => this.#sessions.delete(session));
    this.#sessions.add(session);
  }
}
