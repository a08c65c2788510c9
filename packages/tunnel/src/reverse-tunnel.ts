/** The facade: dial out, log on, ask for ports, serve what arrives there, and come back when the connection is lost. @module */
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
import type { Forwarding, ForwardingState, ForwardingStats } from "./forwarding.ts";
import {
  type CheckedOptions,
  checkCallOptions,
  checkDrainOptions,
  checkForwardingOptions,
  type DrainOptions,
  type ForwardingOptions,
  type TunnelOptions,
} from "./options.ts";
import type { Platform } from "./platform.ts";
import { sumOf, Timeline, type TimelineEntry, type TunnelStats } from "./stats.ts";
import { Supervisor } from "./supervisor.ts";
import { fired, longestTimerMs } from "./waiting.ts";

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
   * Dials the host, verifies its key, and logs on. With `reconnect.mode` `always` a failure is tried again until it is final.
   * A tunnel has one life: after a failed login, as after any end, make a new one.
   *
   * @throws SshError `connect`, `version`, `negotiation`, `hostkey`, `auth`, `timeout`, `aborted`, …; `misuse` if it was called before
   * @example
   * await tunnel.logon({ signal: AbortSignal.timeout(10_000) });
   */
  async logon(options: CallOptions = {}): Promise<void> {
    checkCallOptions("logon", options);
    await this.#supervisor.start(options);
  }

  /**
   * Asks the host to listen on a port. With `target`, bytes flow between each visitor and the target; without it, iterate
   * the forwarding for the channels. After a reconnection the same forwarding is asked for again. With `wait`, a port that is taken is waited for.
   *
   * During the login, and while a lost connection is made again, the request waits for the next connection. Where a key is all there is to log on with and the host is known to
   * work in order (OpenSSH, dropbear, our own), it travels with the logon and saves a round trip (RFC 4252 section 5.1).
   *
   * @throws SshError `refused` or `denied` with the reason the host gave; `misuse`, `closed`, `aborted`; the error that the tunnel ends with
   * @example
   * const web = await tunnel.requestForwarding({ port: 8080, target: { host: "127.0.0.1", port: 80 } });
   * @example
   * const [, web] = await Promise.all([tunnel.logon(), tunnel.requestForwarding({ port: 8080, target })]);
   */
  async requestForwarding(options: ForwardingOptions, call: CallOptions = {}): Promise<Forwarding> {
    const checked = checkForwardingOptions(options);
    checkCallOptions("requestForwarding", call);
    if (checked.target !== undefined && this.#platform.dialTarget === false) {
      const how = "leave target out and iterate the forwarding for its channels, or give the tunnel dialTarget";
      throw new SshError("misuse", `expected no target, for this runtime does not connect to targets: ${how}`);
    }
    if (!this.#supervisor.isRunning) {
      throw new SshError("closed", `expected an open tunnel, got one that is ${this.state}`);
    }
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
    await this.#openForwarding(forwarding, call);
    return forwarding;
  }

  /**
   * Ends the tunnel; its connections end with it. Does nothing when it is closed; ends a logon that is under way. Resolves when the
   * host has taken our goodbye; a signal that fires drops the connection without waiting for that.
   */
  async logoff(options: CallOptions = {}): Promise<void> {
    checkCallOptions("logoff", options);
    await this.#supervisor.stop(options);
  }

  /**
   * Ends the tunnel without cutting anybody off: frees the ports, lets connections finish for at most `deadlineMs` or until the signal
   * fires, logs off.
   *
   * @throws SshError `misuse` for options that are unknown or out of range
   */
  async drain(options: DrainOptions = {}): Promise<void> {
    const deadlineMs = checkDrainOptions(options);
    const leaving = [...this.#forwardings];
    let timer: ReturnType<typeof setTimeout> | undefined;
    const deadline = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, Math.min(deadlineMs, longestTimerMs));
    });
    const finished = Promise.allSettled(leaving.map((one) => one.cancel())).then(() =>
      Promise.all(leaving.map((one) => one.idle())),
    );
    await Promise.race([finished, deadline, fired(options.signal), this.closed.catch(() => {})]);
    clearTimeout(timer);
    await this.logoff(options.signal === undefined ? {} : { signal: options.signal });
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

  /** `await using tunnel`: logs off at the end of the block. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.logoff();
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
      this.#selfCheck = setInterval(() => void this.#checkSelf(), Math.min(selfCheckMs, longestTimerMs));
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
