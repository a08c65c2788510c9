/** A forwarding at work: asked for on each new connection, its visitors served. @module */
import type { CallOptions } from "@postern/ssh";
import { Limits, SshError, toSshError } from "@postern/wire";
import type { ForwardedChannel, ForwardingContext, ForwardingState, ForwardingStats, Listener } from "./forwarding.ts";
import type { Link } from "./link.ts";
import { type CheckedForwarding, checkCallOptions } from "./options.ts";
import type { Target } from "./platform.ts";
import { nonceSize, type ProbeResult, probeAddresses } from "./probe.ts";
import { Visitors } from "./visitors.ts";
import { sleep } from "./waiting.ts";

/** The implementation of {@link Listener}: one identity over many connections. */
export class ActiveForwarding implements Listener {
  readonly address: string;
  readonly target: Target | undefined;
  readonly #host: ForwardingContext;
  readonly #options: CheckedForwarding;
  readonly #visitors: Visitors;
  /** fires when no further request is to be made */
  readonly #given = new AbortController();
  #state: ForwardingState = "pending";
  #reason: SshError | undefined;
  #port: number;
  #link: Link | undefined;
  #retry: { readonly timer: ReturnType<typeof setTimeout>; go(): void } | undefined;
  #cancelling: Promise<void> | undefined;

  constructor(host: ForwardingContext, options: CheckedForwarding) {
    this.#host = host;
    this.#options = options;
    this.address = options.address;
    this.target = options.target;
    this.#port = options.port;
    this.#visitors = new Visitors(host, this, options);
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
    return this.#visitors.queue.closed;
  }

  [Symbol.asyncIterator](): AsyncIterator<ForwardedChannel> {
    return this.#visitors.queue[Symbol.asyncIterator]();
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
        const port = await link.listener.listen(this.address, this.#options.port, this.#visitors.incoming, call);
        // The host may answer this together with the login: the tunnel is open first.
        if (!(await link.up)) throw toSshError(given.reason, "closed", "the login failed");
        if (!this.#host.isCurrent(link)) {
          const error = new SshError("closed", "the connection was lost when the server had just begun to listen");
          this.#dropVisitors(error);
          throw error;
        }
        return this.#become("open", undefined, port);
      } catch (error) {
        if (this.#options.wait !== true || !(error instanceof SshError) || error.code !== "refused") throw error;
        await sleep(Limits.pendingRetryMs, given);
      }
    }
  }

  /** Whether a failed first request continues on the next link: the login failed, or the connection was lost during a `wait`. */
  async continuesAfter(link: Link): Promise<boolean> {
    return !(await link.up) || (this.#options.wait === true && !this.#host.isCurrent(link));
  }

  /** A new connection: asks for the port, again and again while somebody holds it. */
  async attach(link: Link): Promise<void> {
    this.#link = link;
    while (this.#isAt(link)) {
      try {
        const port = await this.#listenAgain(link);
        if (!(await link.up)) return;
        if (this.#isAt(link)) this.#become("open", undefined, port);
        // Cancelled when the host had just begun to listen.
        else await link.listener.cancel(this.address, port, () => {}, {});
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
    this.#dropVisitors(error);
    // Nothing listens any more, and that is what `cancel` was to bring about.
    if (this.#cancelling !== undefined) return this.#close(undefined);
    this.#link = undefined;
    this.#retry?.go();
    if (this.#state !== "closed") this.#become("pending", error);
  }

  /** The tunnel is over, or the forwarding is given up; visitors that wait are not served. */
  end(error: SshError | undefined): void {
    this.#visitors.abort(error);
    this.#close(error);
  }

  async close(call: CallOptions = {}): Promise<void> {
    checkCallOptions("close", call);
    const link = this.#link;
    if (this.#state !== "open" || link === undefined) {
      // Nothing listens; a request that is under way is taken back when it is answered.
      return this.#close(undefined);
    }
    this.#cancelling ??= this.#cancel(link, call).finally(() => {
      this.#cancelling = undefined;
    });
    await this.#cancelling;
  }

  async probe(call: CallOptions = {}): Promise<ProbeResult> {
    checkCallOptions("probe", call);
    const link = this.#link;
    if (this.#state !== "open" || link === undefined) {
      throw new SshError("closed", `expected an open forwarding to probe, got one that is ${this.#state}`);
    }
    const asked = probeAddresses(this.address).map(async (host) => {
      const nonce = this.#host.platform.random(nonceSize);
      return [host, await this.#visitors.gate.ask(link.connection, host, this.#port, nonce, call)] as const;
    });
    const answers = new Map(await Promise.all(asked));
    const known = [...answers.values()].filter((answer) => answer !== "denied");
    return { ok: known.length > 0 && known.every((answer) => answer === "ours"), answers };
  }

  stats(): ForwardingStats {
    return this.#visitors.stats();
  }

  /** Resolves when there are no visitors, nor any that are about to be let in. */
  idle(): Promise<void> {
    return this.#visitors.idle();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #close(error: SshError | undefined): void {
    if (this.#state === "closed") return;
    this.#given.abort(error);
    this.#link = undefined;
    this.#retry?.go();
    this.#visitors.queue.end(error);
    this.#become("closed", error);
  }

  /** The connection of these visitors is gone. */
  #dropVisitors(error: SshError): void {
    this.#visitors.abort(error);
    this.#visitors.queue.clear();
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

  /** If the server chose the port, requests the same one first, because visitors know it. With `keepPort` it requests no other. */
  async #listenAgain({ listener }: Link): Promise<number> {
    const listen = (port: number): Promise<number> =>
      listener.listen(this.address, port, this.#visitors.incoming, { signal: this.#given.signal });
    const { port: requested, keepPort } = this.#options;
    try {
      return await listen(this.#port);
    } catch (error) {
      const isOther = requested !== this.#port && keepPort !== true;
      if (isOther && error instanceof SshError && (error.code === "refused" || error.code === "denied"))
        return await listen(requested);
      throw error;
    }
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
}
