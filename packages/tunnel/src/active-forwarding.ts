/** A forwarding at work: asked for on each new connection, its visitors served. @module */
import { type BytePipe, type CallOptions, type Channel, firstWindow, type IncomingOpen, pump } from "@postern/ssh";
import { Limits, OpenFailureReason, SshError, toSshError } from "@postern/wire";
import { ChannelQueue } from "./channel-queue.ts";
import type { ForwardedChannel, Forwarding, ForwardingState, ForwardingStats } from "./forwarding.ts";
import type { Link } from "./link.ts";
import type { ChannelOpenRequest, CheckedForwarding } from "./options.ts";
import type { Platform, Target } from "./platform.ts";
import { nonceSize, ProbeGate, type ProbeResult, probeAddresses } from "./probe.ts";
import type { ForwardedOpen } from "./remote-listener.ts";
import { sleep } from "./waiting.ts";

/** What a forwarding needs of its tunnel, and tells it. */
export interface ForwardingHost {
  readonly platform: Platform;
  readonly targetTimeoutMs: number;
  changed(forwarding: Forwarding, state: ForwardingState, reason: SshError | undefined): void;
  visitorError(forwarding: Forwarding, origin: Target, error: unknown): void;
}

/** The implementation of {@link Forwarding}: one identity over many connections. */
export class ActiveForwarding implements Forwarding {
  readonly address: string;
  readonly target: Target | undefined;
  readonly #host: ForwardingHost;
  readonly #options: CheckedForwarding;
  readonly #queue = new ChannelQueue();
  readonly #gate = new ProbeGate();
  readonly #visits = new Set<Channel>();
  /** visitors that are let in or turned away soon */
  readonly #arriving = new Set<IncomingOpen>();
  /** told when there are no visitors any more */
  #onIdle: (() => void)[] = [];
  /** the targets that are being dialled; each has a signal of its own, for one signal for thousands would hold as many listeners */
  readonly #dialling = new Set<AbortController>();
  readonly #past = { accepted: 0, refused: 0, bytesIn: 0, bytesOut: 0, stalls: 0 };
  /** fires when no further request is to be made */
  readonly #given = new AbortController();
  #state: ForwardingState = "pending";
  #reason: SshError | undefined;
  #port: number;
  #link: Link | undefined;
  #retry: { readonly timer: ReturnType<typeof setTimeout>; go(): void } | undefined;
  #cancelling: Promise<void> | undefined;

  constructor(host: ForwardingHost, options: CheckedForwarding) {
    this.#host = host;
    this.#options = options;
    this.address = options.address;
    this.target = options.target;
    this.#port = options.port;
  }

  get port(): number {
    return this.#port;
  }

  get state(): ForwardingState {
    return this.#state;
  }

  get reason(): SshError | undefined {
    return this.#reason;
  }

  get closed(): Promise<void> {
    return this.#queue.closed;
  }

  [Symbol.asyncIterator](): AsyncIterator<ForwardedChannel> {
    return this.#queue[Symbol.asyncIterator]();
  }

  /**
   * The first request: its failure is the caller's. With `wait` a port that is taken is asked for until `given` fires.
   *
   * @throws SshError `refused`, `denied`, `aborted`, `closed`, `misuse`
   */
  async open(link: Link, call: CallOptions, given: AbortSignal): Promise<void> {
    this.#link = link;
    for (;;) {
      try {
        const port = await link.listener.listen(this.address, this.#options.port, this.#onOpen(), call);
        // The host may answer this together with the logon: the tunnel is open first.
        await link.up;
        if (this.#link === link) this.#become("open", undefined, port);
        return;
      } catch (error) {
        if (this.#options.wait !== true || !(error instanceof SshError) || error.code !== "refused") throw error;
        await sleep(Limits.pendingRetryMs, given);
      }
    }
  }

  /** A new connection: asks for the port, again and again while somebody holds it. */
  async attach(link: Link): Promise<void> {
    this.#link = link;
    while (this.#isAt(link)) {
      try {
        const port = await this.#listenAgain(link);
        if ((await link.up) && this.#isAt(link)) this.#become("open", undefined, port);
        return;
      } catch (cause) {
        const error = toSshError(cause, "protocol", "the request for the port failed");
        if (!(await link.up) || !this.#isAt(link)) return;
        // Had it been the connection, `detach` would have come. A policy is final, and so is a host that makes no sense.
        if (error.code !== "refused") return this.end(error);
        this.#become("pending", error);
        await this.#pause();
      }
    }
  }

  /** The connection was lost. */
  detach(error: SshError): void {
    this.#drop(error);
    this.#queue.clear();
    // Nothing listens any more, and that is what `cancel` was to bring about.
    if (this.#cancelling !== undefined) return this.#close(undefined);
    this.#link = undefined;
    this.#retry?.go();
    if (this.#state !== "closed") this.#become("pending", error);
  }

  /** The tunnel is over, or the forwarding is given up; visitors that wait are not served. */
  end(error: SshError | undefined): void {
    this.#drop(error);
    this.#close(error);
  }

  cancel(call: CallOptions = {}): Promise<void> {
    const link = this.#link;
    if (this.#state !== "open" || link === undefined) {
      // Nothing listens; a request that is under way is taken back when it is answered.
      this.#close(undefined);
      return Promise.resolve();
    }
    this.#cancelling ??= this.#cancel(link, call).finally(() => {
      this.#cancelling = undefined;
    });
    return this.#cancelling;
  }

  async probe(call: CallOptions = {}): Promise<ProbeResult> {
    const link = this.#link;
    if (this.#state !== "open" || link === undefined) {
      throw new SshError("closed", `expected an open forwarding to probe, got one that is ${this.#state}`);
    }
    const asked = probeAddresses(this.address).map(async (host) => {
      const nonce = this.#host.platform.random(nonceSize);
      return [host, await this.#gate.ask(link.connection, host, this.#port, nonce, call)] as const;
    });
    const answers = new Map(await Promise.all(asked));
    const known = [...answers.values()].filter((answer) => answer !== "denied");
    return { ok: known.length > 0 && known.every((answer) => answer === "ours"), answers };
  }

  stats(): ForwardingStats {
    const sum = { ...this.#past, open: this.#visits.size };
    for (const { counters } of this.#visits) {
      sum.bytesIn += counters.bytesIn;
      sum.bytesOut += counters.bytesOut;
      sum.stalls += counters.stalls;
    }
    return sum;
  }

  /** Resolves when there are no visitors, nor any that are about to be let in. */
  idle(): Promise<void> {
    return new Promise((resolve) => {
      this.#onIdle.push(resolve);
      this.#tellIdle();
    });
  }

  #tellIdle(): void {
    if (this.#visits.size + this.#arriving.size > 0) return;
    for (const tell of this.#onIdle.splice(0)) tell();
  }

  /** The connection is gone: nobody waits for a target any more. */
  #drop(error: SshError | undefined): void {
    for (const dialling of this.#dialling) dialling.abort(error);
    this.#arriving.clear();
    this.#tellIdle();
  }

  #close(error: SshError | undefined): void {
    if (this.#state === "closed") return;
    this.#given.abort(error);
    this.#link = undefined;
    this.#retry?.go();
    this.#queue.end(error);
    this.#become("closed", error);
  }

  async #cancel({ listener }: Link, call: CallOptions): Promise<void> {
    try {
      await listener.cancel(this.address, this.#port, () => this.#close(undefined), call);
    } catch (error) {
      if (this.#state === "closed") return;
      // A host that refuses goes on listening; a connection that is lost has freed the port.
      if (error instanceof SshError && (error.code === "refused" || error.code === "aborted")) throw error;
      this.#close(undefined);
    }
  }

  #isAt(link: Link): boolean {
    return this.#link === link && this.#state !== "closed";
  }

  /** When the host chose the port, the same one is asked for first: visitors know it. */
  async #listenAgain({ listener }: Link): Promise<number> {
    const call = { signal: this.#given.signal };
    const requested = this.#options.port;
    if (requested === 0 && this.#port !== 0) {
      try {
        return await listener.listen(this.address, this.#port, this.#onOpen(), call);
      } catch (error) {
        if (!(error instanceof SshError) || (error.code !== "refused" && error.code !== "denied")) throw error;
      }
    }
    return await listener.listen(this.address, requested, this.#onOpen(), call);
  }

  #onOpen(): (open: IncomingOpen, specific: ForwardedOpen) => void {
    return (open, specific) => void this.#visitor(open, specific);
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      const go = (): void => {
        clearTimeout(this.#retry?.timer);
        this.#retry = undefined;
        resolve();
      };
      this.#retry = { timer: setTimeout(go, Limits.pendingRetryMs), go };
    });
  }

  #become(state: ForwardingState, reason: SshError | undefined, port = this.#port): void {
    this.#port = port;
    this.#state = state;
    this.#reason = reason;
    this.#host.changed(this, state, reason);
  }

  /** One visitor: asks `onOpen`, dials the target before the open is confirmed, and joins the two. */
  async #visitor(open: IncomingOpen, specific: ForwardedOpen): Promise<void> {
    const origin: Target = { host: specific.originAddress, port: specific.originPort };
    const { onOpen } = this.#options;
    let channel: Channel | undefined;
    const refuse = (reason: number, description: string, error?: unknown): void => {
      this.#past.refused++;
      if (channel === undefined) open.refuse(reason, description);
      else channel.abort();
      if (error !== undefined) this.#host.visitorError(this, origin, error);
    };
    let pipe: BytePipe | undefined;
    this.#arriving.add(open);
    try {
      if (this.#gate.busy) {
        channel = this.#accept(open);
        if (await this.#gate.takes(channel)) return;
      }
      const gone = (): boolean => !this.#arriving.has(open);
      if (gone()) return;
      const request: ChannelOpenRequest = { channelId: open.id, origin, address: this.address, port: specific.port };
      try {
        const wanted = onOpen === undefined || (await onOpen(request)) === true;
        if (gone()) return;
        if (!wanted) {
          return refuse(OpenFailureReason.ADMINISTRATIVELY_PROHIBITED, "refused");
        }
      } catch (error) {
        return refuse(OpenFailureReason.ADMINISTRATIVELY_PROHIBITED, "refused", error);
      }
      if (this.target === undefined && this.#queue.full) {
        const error = new SshError("limit", "expected the program to take channels, got too many that wait");
        return refuse(OpenFailureReason.RESOURCE_SHORTAGE, "too many connections wait", error);
      }
      try {
        if (this.target !== undefined) pipe = await this.#dial(this.target);
      } catch (error) {
        // Only we abort a dial: the connection is gone, and nobody was turned away.
        if (error instanceof SshError && error.code === "aborted") return;
        return refuse(OpenFailureReason.CONNECT_FAILED, "the target could not be reached", error);
      }
      channel ??= this.#accept(open);
      this.#count(channel);
      if (pipe === undefined) this.#queue.push(Object.assign(channel, { origin }));
      else pump(channel, pipe);
    } catch (error) {
      // The connection ended meanwhile; its own error tells the program.
      pipe?.abort(toSshError(error, "closed", "the connection ended"));
    } finally {
      this.#arriving.delete(open);
      this.#tellIdle();
    }
  }

  #accept(open: IncomingOpen): Channel {
    return open.accept({ window: firstWindow(this.#link?.connection.channelCount ?? 0) });
  }

  #count(channel: Channel): void {
    this.#visits.add(channel);
    this.#past.accepted++;
    const gone = (): void => {
      this.#visits.delete(channel);
      this.#past.bytesIn += channel.counters.bytesIn;
      this.#past.bytesOut += channel.counters.bytesOut;
      this.#past.stalls += channel.counters.stalls;
      this.#tellIdle();
    };
    channel.closed.then(gone, gone);
  }

  async #dial(target: Target): Promise<BytePipe> {
    const dialling = new AbortController();
    this.#dialling.add(dialling);
    try {
      const { platform, targetTimeoutMs: timeoutMs } = this.#host;
      const dial = platform.dialTarget || platform.dial;
      return await dial(target, { signal: dialling.signal, timeoutMs });
    } finally {
      this.#dialling.delete(dialling);
    }
  }
}
