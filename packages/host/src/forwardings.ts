/** The ports one client listens on: RFC 4254 section 7. @module */
import { type BytePipe, pump, type SshConnection } from "@postern/ssh";
import { ForwardedTcpip, SshError } from "@postern/wire";
import type { Share } from "./channel-budget.ts";
import { countingPipe, type Traffic } from "./counting-pipe.ts";
import type { HostForwarding } from "./events.ts";
import type { Address, HostPlatform, Listening } from "./platform.ts";

/** What a forwarding needs of its client. */
export interface ForwardingOwner {
  /** a share of the client's channels for a visitor, or why it is refused one */
  takeVisitorShare(forwarding: HostForwarding, origin: Address): Share | string;
  /** a pipe of the outside world lives; to be ended when the client goes */
  adopt(pipe: BytePipe): () => void;
  refusedVisitor(forwarding: HostForwarding, origin: Address, reason: string): void;
}

/** One port that is listened on. */
export class Forwarding implements HostForwarding {
  readonly address: string;
  readonly hosts: readonly string[];
  visitors = 0;
  open = 0;
  readonly #owner: ForwardingOwner;
  readonly #connection: SshConnection;
  readonly #traffic: Traffic = { bytesIn: 0, bytesOut: 0 };
  #listening: Listening | undefined;
  #free: HostPlatform["free"];
  /** visitors that came before the client knows that we listen */
  #early: (() => void)[] | undefined = [];
  #closed = false;

  constructor(address: string, hosts: readonly string[], connection: SshConnection, owner: ForwardingOwner) {
    this.address = address;
    this.hosts = hosts;
    this.#connection = connection;
    this.#owner = owner;
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

  /** @throws SshError `connect` when the port cannot be had */
  async listen(platform: HostPlatform, port: number): Promise<void> {
    this.#free = platform.free;
    this.#listening = await platform.listen(this.hosts, port, (visitor, origin) => this.#visit(visitor, origin));
  }

  /** The client knows of the port: visitors may be told to it. */
  ready(): void {
    const early = this.#early ?? [];
    this.#early = undefined;
    for (const visit of early) visit();
  }

  /** Frees the port; visitors that are in stay in (RFC 4254 section 7.1). */
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
    const share = this.#owner.takeVisitorShare(this, origin);
    if (typeof share === "string") {
      visitor.abort(new SshError("limit", share));
      this.#owner.refusedVisitor(this, origin, share);
      return;
    }
    this.visitors++;
    this.open++;
    const disown = this.#owner.adopt(visitor);
    const gone = (): void => {
      disown();
      share.pipeGone();
      this.open--;
    };
    const open = (): void => this.#open(visitor, origin, share, gone);
    if (this.#early === undefined) open();
    else this.#early.push(open);
  }

  #open(visitor: BytePipe, origin: Address, share: Share, gone: () => void): void {
    // The client never learnt of the port.
    if (this.#closed) {
      visitor.abort(notListening());
      gone();
      return;
    }
    // RFC 4254 section 7.2: the address as requested, the port that was connected to, and who connected.
    const specificData = ForwardedTcpip.encode({
      address: this.address,
      port: this.port,
      originAddress: origin.host,
      originPort: origin.port,
    });
    const options = { window: share.window, onReleased: share.channelGone };
    this.#connection.openChannel("forwarded-tcpip", specificData, options).then(
      (channel) => pump(channel, countingPipe(visitor, { traffic: this.#traffic, closed: gone }), this.#free),
      (error: SshError) => {
        // As sshd, but with a reset: a target that refused is no empty answer.
        visitor.abort(error);
        share.channelGone();
        gone();
        if (error.code === "refused") this.#owner.refusedVisitor(this, origin, error.message);
      },
    );
  }
}

function notListening(): SshError {
  return new SshError("closed", "the host does not listen on the port any more");
}
