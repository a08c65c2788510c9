/** The facade: dial out, log in, ask for ports, serve what arrives there, and come back when the connection is lost. @module */
import type { CallOptions } from "@postern/ssh";
import { SshError } from "@postern/wire";
import { ActiveForwarding } from "./active-forwarding.ts";
import { checkTunnelOptions } from "./check-options.ts";
import {
  ForwardingEvent,
  NoticeEvent,
  SelfCheckEvent,
  StateEvent,
  TunnelEventTarget,
  type TunnelState,
  VisitorErrorEvent,
} from "./events.ts";
import type { Forwarding, ForwardingState, ForwardingStats, Listener } from "./forwarding.ts";
import {
  type CheckedForwarding,
  type CheckedOptions,
  type CloseOptions,
  checkCallOptions,
  checkCloseOptions,
  checkForwardOptions,
  checkListenOptions,
  type ForwardOptions,
  type ListenOptions,
  type TunnelOptions,
} from "./options.ts";
import type { Platform } from "./platform.ts";
import { sumOf, Timeline, type TimelineEntry, type TunnelStats } from "./stats.ts";
import { Supervisor } from "./supervisor.ts";
import { fired, maxTimerMs } from "./waiting.ts";

/**
 * A reverse tunnel through an SSH host.
 *
 * Events: `state`, `reconnectattempt`, `forwarding`, `selfcheck`, `banner`, `debug`, `visitorerror` (see `TunnelEvents`).
 * None of them has to be handled.
 */
export class ReverseTunnel extends TunnelEventTarget {
  readonly #platform: Platform;
  readonly #options: CheckedOptions;
  readonly #supervisor: Supervisor;
  readonly #forwardings = new Set<ActiveForwarding>();
  /** cancelled, with connections that live on */
  readonly #leaving = new Set<ActiveForwarding>();
  readonly #timeline = new Timeline();
  #past: ForwardingStats = sumOf([]);
  #selfCheck: ReturnType<typeof setInterval> | undefined;
  #checking = false;

  /** @throws SshError `misuse` for options that are unknown, missing or out of range */
  constructor(options: TunnelOptions, platform: Platform) {
    super();
    this.#platform = platform;
    this.#options = checkTunnelOptions(options, platform.algorithms);
    this.#supervisor = new Supervisor(platform, this.#options, {
      stateChanged: (state, reason) => this.#stateChanged(state, reason),
      attemptDue: (event) => this.dispatchEvent(event),
      linkReady: (link) => {
        for (const forwarding of this.#forwardings) void forwarding.attach(link);
      },
      linkLost: (error) => {
        for (const forwarding of this.#forwardings) forwarding.detach(error);
      },
      ended: (error) => {
        for (const forwarding of [...this.#forwardings, ...this.#leaving]) forwarding.end(error);
      },
      banner: (message) => void this.dispatchEvent(new NoticeEvent("banner", message)),
      debug: (message) => void this.dispatchEvent(new NoticeEvent("debug", message)),
    });
  }

  /** The current state; `closed` before the login and after the end. */
  get state(): TunnelState {
    return this.#supervisor.state;
  }

  /**
   * One promise for the life of the tunnel. Resolves when it was logged off; rejects with an SshError if the first login failed or the tunnel
   * was given up. It settles before the last `state` event fires.
   */
  get closed(): Promise<void> {
    return this.#supervisor.closed;
  }

  /** The forwardings that are open or pending. */
  get forwardings(): readonly Forwarding[] {
    return [...this.#forwardings];
  }

  /** The last 100 state changes of the tunnel and its forwardings, oldest first. */
  get timeline(): readonly TimelineEntry[] {
    return this.#timeline.entries;
  }

  /**
   * Dials the server, verifies its host key, and logs in. With `reconnect.mode` `always` a failure is retried until it is final.
   * A tunnel has one life: after a failed login, as after any other end, make a new one.
   *
   * @throws SshError `connect`, `version`, `negotiation`, `hostkey`, `auth`, `timeout`, …; `misuse` if it was called before
   * @example
   * await tunnel.connect({ signal: AbortSignal.timeout(10_000) });
   */
  async connect(options: CallOptions = {}): Promise<void> {
    checkCallOptions("connect", options);
    await this.#supervisor.start(options);
  }

  /**
   * Asks the server to listen on a port, and connects each visitor to `target`. Resolves once the server listens. After a reconnection
   * the same forwarding requests its port again.
   *
   * Before `connect()` and during a reconnection the request waits for the next connection. If a key is the only login method and the
   * server is known to process messages in order, a request made during the login travels with it and saves a round trip
   * (RFC 4252 section 5.1).
   *
   * @throws SshError `refused` or `denied` with the server's reason; `misuse`; `closed`; the error that ends the tunnel
   * @example
   * const web = await tunnel.forward({ port: 8080, target: { host: "127.0.0.1", port: 80 } });
   */
  async forward(options: ForwardOptions): Promise<Forwarding> {
    const checked = checkForwardOptions(options);
    if (this.#platform.dialTarget === false) {
      const how = "use listen() and iterate it for the channels, or set dialTarget";
      throw new SshError("misuse", `expected no target, because this runtime does not connect to targets: ${how}`);
    }
    return await this.#request(checked, options.signal);
  }

  /**
   * Asks the server to listen on a port, and returns the listener: an async iterable of one channel per visitor. Everything else is as
   * in `forward()`.
   *
   * @throws SshError as `forward()` does
   * @example
   * const listener = await tunnel.listen({ port: 8080 });
   * for await (const channel of listener) void channel.readable.pipeTo(channel.writable).catch(console.error);
   */
  async listen(options: ListenOptions): Promise<Listener> {
    return await this.#request(checkListenOptions(options), options.signal);
  }

  /**
   * Ends the tunnel, and its connections with it. With `drainMs` it first frees the ports and lets connections finish, for at most that
   * many milliseconds or until the signal fires. Does nothing if the tunnel is closed; ends a login that is in progress.
   *
   * @throws SshError `misuse` for options that are unknown or out of range
   */
  async close(options: CloseOptions = {}): Promise<void> {
    const drainMs = checkCloseOptions(options);
    const { signal } = options;
    if (drainMs > 0) await this.#drain(drainMs, signal);
    await this.#supervisor.stop({ signal });
  }

  /** Figures since the tunnel was made. */
  stats(): TunnelStats {
    const forwardings = new Map([...this.#forwardings].map((one) => [one as Forwarding, one.stats()]));
    const leaving = [...this.#leaving].map((one) => one.stats());
    return {
      ...sumOf([this.#past, ...leaving, ...forwardings.values()]),
      ...this.#supervisor.stats(),
      forwardings,
    };
  }

  /** `await using tunnel`: closes it at the end of the block. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #request(checked: CheckedForwarding, signal: AbortSignal | undefined): Promise<ActiveForwarding> {
    if (this.#supervisor.isOver) throw new SshError("closed", "expected a tunnel that has not ended, got one that has");
    const forwarding = new ActiveForwarding(
      {
        platform: this.#platform,
        targetTimeoutMs: this.#options.targetTimeoutMs,
        isCurrent: (link) => this.#supervisor.link === link,
        changed: (_self, state, reason) => this.#forwardingChanged(forwarding, state, reason),
        visitorError: (self, origin, error) => this.dispatchEvent(new VisitorErrorEvent(self, origin, error)),
      },
      checked,
    );
    await this.#openForwarding(forwarding, { signal });
    return forwarding;
  }

  async #drain(drainMs: number, signal: AbortSignal | undefined): Promise<void> {
    const leaving = [...this.#forwardings];
    let timer: ReturnType<typeof setTimeout> | undefined;
    const deadline = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, Math.min(drainMs, maxTimerMs));
    });
    const finished = Promise.allSettled(leaving.map((one) => one.close())).then(() =>
      Promise.all(leaving.map((one) => one.idle())),
    );
    await Promise.race([finished, deadline, fired(signal), this.closed.catch(() => {})]);
    clearTimeout(timer);
  }

  /** Requests the port on the open link or the next one, and on the one after that if the login fails. */
  async #openForwarding(forwarding: ActiveForwarding, call: CallOptions): Promise<void> {
    const { signal } = this.#supervisor;
    const given = call.signal === undefined ? signal : AbortSignal.any([signal, call.signal]);
    for (;;) {
      const link = await this.#supervisor.nextLink(given);
      try {
        return await forwarding.open(link, call, given);
      } catch (error) {
        if (!given.aborted && (await forwarding.continuesAfter(link))) continue;
        // Otherwise it was the connection that failed.
        if (this.#supervisor.link === link) this.#forwardingFailed(error);
        throw error;
      }
    }
  }

  #forwardingChanged(forwarding: ActiveForwarding, state: ForwardingState, reason: SshError | undefined): void {
    if (state === "open") this.#forwardings.add(forwarding);
    if (state === "closed") this.#forget(forwarding);
    this.#timeline.add(state, reason, forwarding);
    this.dispatchEvent(new ForwardingEvent(forwarding, state, reason));
    if (state === "closed") this.#forwardingFailed(reason);
  }

  #forwardingFailed(error: unknown): void {
    if (!this.#options.exitOnForwardFailure || !(error instanceof SshError)) return;
    if (["refused", "denied", "protocol"].includes(error.code)) this.#supervisor.end(error);
  }

  #stateChanged(state: TunnelState, reason: SshError | undefined): void {
    clearInterval(this.#selfCheck);
    const { selfCheckMs } = this.#options;
    if (state === "open" && selfCheckMs > 0) {
      this.#selfCheck = setInterval(() => void this.#checkSelf(), Math.min(selfCheckMs, maxTimerMs));
    }
    this.#timeline.add(state, reason);
    this.dispatchEvent(new StateEvent(state, reason));
  }

  async #checkSelf(): Promise<void> {
    // One round at a time: a probe may take longer than the interval.
    if (this.#checking) return;
    this.#checking = true;
    for (const forwarding of this.#forwardings) {
      if (forwarding.state !== "open") continue;
      try {
        this.dispatchEvent(new SelfCheckEvent(forwarding, await forwarding.probe()));
      } catch {
        // The connection was lost meanwhile, and that is told otherwise.
      }
    }
    this.#checking = false;
  }

  #forget(forwarding: ActiveForwarding): void {
    this.#forwardings.delete(forwarding);
    this.#leaving.add(forwarding);
    void forwarding.idle().then(() => {
      this.#leaving.delete(forwarding);
      this.#past = sumOf([this.#past, forwarding.stats()]);
    });
  }
}
