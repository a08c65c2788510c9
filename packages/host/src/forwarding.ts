/** One port or UNIX socket that the server listens on for a client (RFC 4254 section 7). @module */
import { type BytePipe, pump, type SshConnection } from "@postern/ssh";
import { type Bytes, ForwardedStreamlocal, ForwardedTcpip, SshError } from "@postern/wire";
import type { Share } from "./channel-budget.ts";
import type { HostForwarding } from "./client-view.ts";
import { countingPipe, type Traffic } from "./counting-pipe.ts";
import type { Exceeded } from "./host-budget.ts";
import type { LimitName } from "./limits.ts";
import type { Address, HostPlatform, Listening } from "./platform.ts";
import { expectClose } from "./slow-peer.ts";

/** The place that a client requested. */
export interface Requested {
  /** The address as requested, or the path of a UNIX socket. */
  readonly address: string;
  /** 0 for a UNIX socket. */
  readonly port: number;
  readonly path?: string | undefined;
}

/** The services of the client that a forwarding uses. */
export interface ForwardingContext {
  /** Returns a share of the client's channels for a visitor, or why there is none. */
  takeVisitorShare(forwarding: HostForwarding, origin: Address): Share | Exceeded;
  /** Registers a pipe that must end with the client. Returns a function that unregisters it. */
  adopt(pipe: BytePipe): () => void;
  visitorAccepted(forwarding: HostForwarding, origin: Address): void;
  visitorRefused(origin: Address, reason: string, limit?: LimitName): void;
}

/** The implementation of {@link HostForwarding}. */
export class Forwarding implements HostForwarding {
  readonly address: string;
  readonly path: string | undefined;
  readonly hosts: readonly string[];
  visitors = 0;
  open = 0;
  url: string | undefined;
  readonly #context: ForwardingContext;
  readonly #connection: SshConnection;
  readonly #traffic: Traffic = { bytesIn: 0, bytesOut: 0 };
  #listening: Listening | undefined;
  #free: HostPlatform["free"];
  /** Visitors that came before the reply to the request. `undefined` once the reply has been sent. */
  #early: (() => void)[] | undefined = [];
  #closed = false;

  constructor(
    { address, path }: Requested,
    hosts: readonly string[],
    connection: SshConnection,
    context: ForwardingContext,
  ) {
    this.address = address;
    this.path = path;
    this.hosts = hosts;
    this.#connection = connection;
    this.#context = context;
  }

  get port(): number {
    return this.#listening?.port ?? 0;
  }

  get bytesIn(): number {
    return this.#traffic.bytesIn;
  }

  get bytesOut(): number {
    return this.#traffic.bytesOut;
  }

  /** @throws SshError `connect` if the server cannot listen on the port */
  async listen(platform: HostPlatform, port: number): Promise<void> {
    this.#free = platform.free;
    this.#listening = await platform.listen(this.hosts, port, (visitor, origin) => this.#visit(visitor, origin));
  }

  /** @throws SshError `connect` if the server cannot listen on the UNIX socket */
  async listenPath(platform: HostPlatform, path: string, mode: number): Promise<void> {
    if (platform.listenPath === undefined) throw new SshError("connect", "expected a platform with UNIX sockets");
    this.#free = platform.free;
    const visit = (visitor: BytePipe): void => this.#visit(visitor, { host: "", port: 0 });
    const { close } = await platform.listenPath(path, { mode }, visit);
    this.#listening = { port: 0, close };
  }

  /** Opens channels for visitors from now on, because the client knows the port. */
  ready(): void {
    const early = this.#early ?? [];
    this.#early = undefined;
    for (const visit of early) visit();
  }

  /** Frees the port. Connected visitors stay connected (RFC 4254 section 7.1). */
  async close(): Promise<void> {
    this.#closed = true;
    this.ready();
    await this.#listening?.close();
  }

  #visit(visitor: BytePipe, origin: Address): void {
    if (this.#closed) {
      visitor.abort(notListening());
      return;
    }
    const share = this.#context.takeVisitorShare(this, origin);
    if ("reason" in share) {
      visitor.abort(new SshError("limit", share.reason));
      this.#context.visitorRefused(origin, share.reason, share.limit);
      return;
    }
    this.visitors++;
    this.open++;
    const disown = this.#context.adopt(visitor);
    const closed = (): void => {
      disown();
      share.pipeClosed();
      this.open--;
    };
    const open = (): void => this.#open(visitor, origin, share, closed);
    if (this.#early === undefined) open();
    else this.#early.push(open);
  }

  #open(visitor: BytePipe, origin: Address, share: Share, closed: () => void): void {
    // Closed before the reply: the client never learned the port.
    if (this.#closed) {
      visitor.abort(notListening());
      share.channelClosed();
      closed();
      return;
    }
    this.#context.visitorAccepted(this, origin);
    const [type, specificData] = this.#channelOf(origin);
    const slow = expectClose(visitor);
    const onReleased = (): void => {
      share.channelClosed();
      slow.released();
    };
    const pipeClosed = (): void => {
      slow.closed();
      closed();
    };
    const options = { window: share.window, onReleased };
    this.#connection.openChannel(type, specificData, options).then(
      (channel) => pump(channel, countingPipe(visitor, { traffic: this.#traffic, closed: pipeClosed }), this.#free),
      (error: SshError) => {
        // sshd closes here; we reset, so that the visitor does not take a refusal for an empty answer.
        visitor.abort(error);
        share.channelClosed();
        closed();
        if (error.code === "refused") this.#context.visitorRefused(origin, error.message);
      },
    );
  }

  /** Returns the type and the data of a channel for a visitor. */
  #channelOf({ host, port }: Address): [string, Bytes] {
    const { address, path } = this;
    if (path !== undefined) {
      const reserved = new Uint8Array(0);
      return ["forwarded-streamlocal@openssh.com", ForwardedStreamlocal.encode({ path, reserved })];
    }
    // RFC 4254 section 7.2: the address as requested, the port that was connected to, and the visitor's address.
    const origin = { originAddress: host, originPort: port };
    return ["forwarded-tcpip", ForwardedTcpip.encode({ address, port: this.port, ...origin })];
  }
}

function notListening(): SshError {
  return new SshError("closed", "the server no longer listens on the port");
}
