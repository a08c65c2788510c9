/** A forwarding in use: requested on each new connection, its visitors served. @module */
import { type CallOptions, type Deferred, deferred, onAbort, setRef } from "@postern/ssh";
import { SshError, toSshError } from "@postern/wire";
import * as Limits from "@postern/wire/limits";
import { checkCallOptions } from "./check-calls.ts";
import type { ForwardedChannel, ForwardingContext, ForwardingState, Listener } from "./forwarding.ts";
import type { ForwardingStats } from "./forwarding-stats.ts";
import type { Link } from "./link.ts";
import type { CheckedForwarding } from "./options.ts";
import { nonceSize, type OpenProbe, type ProbeResult, probeAddresses } from "./probe.ts";
import { LinkFailure } from "./reconnect.ts";
import type { Target } from "./target.ts";
import { Visitors } from "./visitors.ts";
import { abortableCall } from "./waiting.ts";

/** The implementation of {@link Listener}: one identity over many connections. */
export class ActiveForwarding implements Listener {
  readonly address: string;
  readonly target: Target | "socks" | undefined;
  readonly #context: ForwardingContext;
  readonly #options: CheckedForwarding;
  readonly #visitors: Visitors;
  /** Aborts requests in flight when the forwarding closes. */
  readonly #requests = new AbortController();
  /** The call of `forward()` or `listen()`, until it has succeeded. Until then no state change is reported. */
  #opening: Deferred | undefined = deferred();
  #state: ForwardingState = "pending";
  #reason: SshError | undefined;
  /** 0 until the server has chosen one, and if it does not name it; `undefined` for a UNIX socket */
  #port: number | undefined;
  #link: Link | undefined;
  #retry: { readonly timer: ReturnType<typeof setTimeout>; go(): void } | undefined;
  #closing: Promise<void> | undefined;

  constructor(context: ForwardingContext, options: CheckedForwarding) {
    this.#context = context;
    this.#options = options;
    this.address = options.address;
    this.target = options.target;
    this.#port = options.port;
    this.#visitors = new Visitors(context, this, options);
  }

  get port(): number | undefined {
    return this.#port || undefined;
  }

  get path(): string | undefined {
    return this.#options.path;
  }

  get url(): string | undefined {
    return this.#context.hosted?.urlOf(this);
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
   * Resolves once the server listens for the first time.
   *
   * @throws SshError `refused`, `denied`, `closed`, `misuse`; the error that ends the tunnel; the signal's reason
   */
  async opened(signal: AbortSignal | undefined): Promise<void> {
    const stopListening = onAbort(signal, () => {
      this.#opening?.reject(signal?.reason);
      this.end(undefined);
    });
    await this.#opening?.promise.finally(stopListening);
  }

  /** Requests the port on a new connection, repeatedly while it is taken. */
  async attach(link: Link): Promise<void> {
    this.#link = link;
    while (this.#isAt(link)) {
      try {
        const port = await this.#request(link);
        if (this.#isAt(link)) this.#becomeOpen();
        // It was closed before the server's answer arrived.
        else await link.cancel(this.address, port, () => {}, {});
        return;
      } catch (cause) {
        // The next link repeats the request. If a connection was lost, `detach` was called before its requests failed.
        if (cause instanceof LinkFailure || !this.#isAt(link)) return;
        const error = toSshError(cause, "protocol", "the request for the port failed");
        const mayRetry = this.#opening === undefined || this.#options.wait === true;
        if (error.code !== "refused" || !mayRetry) {
          this.end(error);
          return this.#context.failed(error);
        }
        this.#become("pending", error);
        await this.#pause();
      }
    }
  }

  /** The connection was lost. */
  detach(error: SshError): void {
    this.#visitors.abort(error);
    this.#visitors.queue.clear();
    // The server frees the port when the connection is lost, so a pending `close` is complete.
    if (this.#closing !== undefined) return this.#close(undefined);
    if (this.#opening !== undefined && this.#options.wait !== true) return this.#close(error);
    this.#link = undefined;
    this.#retry?.go();
    if (this.#state !== "closed") this.#become("pending", error);
  }

  /**
   * Closes the forwarding because the tunnel ends, or the server refuses the port for good. Visitors that wait are
   * dropped.
   */
  end(error: SshError | undefined): void {
    this.#visitors.end(error);
    this.#close(error);
  }

  async close(call: CallOptions = {}): Promise<void> {
    checkCallOptions("close", call);
    const link = this.#link;
    // The server does not listen. If it grants a request that is in flight, `attach` cancels that.
    if (this.#state !== "open" || link === undefined) return this.#close(undefined);
    this.#closing ??= this.#cancel(link, call).finally(() => {
      this.#closing = undefined;
    });
    await abortableCall(call.signal, this.#closing, this.#context.rejected);
  }

  async probe(call: CallOptions = {}): Promise<ProbeResult> {
    checkCallOptions("probe", call);
    return await abortableCall(call.signal, this.runProbe(call), this.#context.rejected);
  }

  /** Probes without reporting a failure to the program. */
  async runProbe(call: CallOptions = {}): Promise<ProbeResult> {
    const link = this.#link;
    if (this.#state !== "open" || link === undefined || this.#port === 0) {
      throw new SshError(
        "closed",
        `expected an open forwarding with a known port to probe, got one that is ${this.#state}`,
      );
    }
    const port = this.#port;
    const hosts = port === undefined ? [this.address] : probeAddresses(this.address);
    const probes = hosts.map(async (host) => {
      const open: OpenProbe = (options) =>
        port === undefined ? link.connection.openUnix(host, options) : link.connection.openTcp({ host, port }, options);
      return [host, await this.#visitors.gate.probe(open, this.#context.platform.random(nonceSize), call)] as const;
    });
    const answers = new Map(await Promise.all(probes));
    const known = [...answers.values()].filter((answer) => answer !== "denied");
    return { ok: known.length > 0 && known.every((answer) => answer === "ours"), answers };
  }

  stats(): ForwardingStats {
    return this.#visitors.stats();
  }

  /** Resolves when no visitor is connected or about to be. */
  idle(): Promise<void> {
    return this.#visitors.idle();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close().catch(() => {});
  }

  #close(error: SshError | undefined): void {
    if (this.#state === "closed") return;
    this.#requests.abort(error);
    this.#link = undefined;
    this.#retry?.go();
    this.#opening?.reject(error ?? new SshError("closed", "the tunnel was closed"));
    this.#visitors.queue.end(error);
    this.#become("closed", error);
  }

  async #cancel(link: Link, call: CallOptions): Promise<void> {
    try {
      await link.cancel(this.address, this.#port, () => this.#close(undefined), call);
    } catch (error) {
      if (this.#state === "closed") return;
      // A server that refuses still listens; a lost connection has freed the port.
      if (call.signal?.aborted || (error instanceof SshError && error.code === "refused")) throw error;
      this.#close(undefined);
    }
  }

  #isAt(link: Link): boolean {
    return this.#link === link && this.#state !== "closed";
  }

  /**
   * If the server chose the port, requests the same one first, because visitors know it. With `keepPort` it requests no
   * other.
   */
  async #request(link: Link): Promise<number | undefined> {
    const listen = (port: number | undefined): Promise<number | undefined> =>
      link.listen(this.address, port, this.#visitors.incoming, {
        signal: this.#requests.signal,
        onBound: (bound) => {
          this.#port = bound;
        },
      });
    const { port: requested, keepPort } = this.#options;
    if (this.#context.hosted?.repeatsPort) this.#port = requested;
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
      const timer = setTimeout(go, Limits.pendingRetryMs);
      // The open connection decides whether the process stays alive.
      setRef(timer, false);
      this.#retry = { timer, go };
    });
  }

  #becomeOpen(): void {
    this.#opening?.resolve();
    this.#opening = undefined;
    this.#become("open", undefined);
  }

  #become(state: ForwardingState, reason: SshError | undefined): void {
    this.#state = state;
    this.#reason = reason;
    if (this.#opening === undefined) this.#context.changed(this, state, reason);
  }
}
