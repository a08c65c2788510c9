/** The facade: dial out, log on, ask for ports, serve what arrives there, and come back when the connection is lost. @module */
import { type CallOptions, onAbort, settleable } from "@postern/ssh";
import { SshError, toSshError } from "@postern/wire";
import { ActiveForwarding } from "./active-forwarding.ts";
import {
  ForwardingEvent,
  NoticeEvent,
  ReconnectAttemptEvent,
  SelfCheckEvent,
  StateEvent,
  TunnelEventTarget,
  type TunnelState,
  VisitorErrorEvent,
} from "./events.ts";
import type { Forwarding, ForwardingStats } from "./forwarding.ts";
import { type Link, LinkFailure, openLink } from "./link.ts";
import {
  type CheckedOptions,
  changeOptions,
  checkCallOptions,
  checkDrainOptions,
  checkForwardingOptions,
  checkTunnelOptions,
  type DrainOptions,
  type Endpoint,
  type ForwardingOptions,
  type TunnelOptions,
} from "./options.ts";
import type { HashingPlatform } from "./platform.ts";
import { isFinal, waitBefore } from "./reconnect.ts";
import {
  nothingOnTheWire,
  sumOf,
  sumOfWires,
  Timeline,
  type TimelineEntry,
  type TunnelStats,
  type WireStats,
} from "./stats.ts";
import { fired, type Later, later, longestTimerMs, sleep, unlessAborted } from "./waiting.ts";

/** One life of the tunnel, from `logon` to its end. `abort` ends what is under way: a dial, a logon, a wait. */
interface Life {
  readonly abort: AbortController;
  state: Exclude<TunnelState, "closed">;
  link: Link | undefined;
  /** the next link, from the moment that its logon begins */
  coming: Later<Link>;
  /** whether it was open once: then an end that the program asked for is no failure */
  established: boolean;
}

/**
 * A reverse tunnel through an SSH host.
 *
 * Events: `state`, `reconnectattempt`, `forwarding`, `selfcheck`, `banner`, `debug`, `visitorerror` (see `TunnelEvents`).
 * None of them has to be handled.
 */
export class ReverseTunnel extends TunnelEventTarget {
  readonly #platform: HashingPlatform;
  #options: CheckedOptions;
  readonly #forwardings = new Set<ActiveForwarding>();
  /** cancelled, with connections that live on */
  readonly #leaving = new Set<ActiveForwarding>();
  readonly #timeline = new Timeline();
  #life: Life | undefined;
  #closed = settleable();
  /** which of the hosts is dialled next */
  #endpoint = 0;
  #reconnects = 0;
  /** how often in a row the host dropped us before its key was seen */
  #turnedAway = 0;
  /** a logon has failed that requests may have gone with: from then on they wait for its end, in case the host hung up on them */
  #patient = false;
  #past: ForwardingStats = sumOf([]);
  /** what went over connections that have ended */
  #pastWire: WireStats = nothingOnTheWire;
  #selfCheck: ReturnType<typeof setInterval> | undefined;
  #checking = false;

  /** @throws SshError `misuse` for options that are unknown, missing or out of range */
  constructor(options: TunnelOptions, platform: HashingPlatform) {
    super();
    this.#platform = platform;
    this.#options = checkTunnelOptions(options, platform.algorithms);
  }

  /** Where the tunnel stands; `closed` before the logon and after the end. */
  get state(): TunnelState {
    return this.#life?.state ?? "closed";
  }

  /** Resolves when the tunnel was logged off; rejects with an SshError when it was given up or never came to be. */
  get closed(): Promise<void> {
    return this.#closed.promise;
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
   *
   * @throws SshError `connect`, `version`, `negotiation`, `hostkey`, `auth`, `timeout`, `aborted`, …; `misuse` when it is under way or done
   * @example
   * await tunnel.logon({ signal: AbortSignal.timeout(10_000) });
   */
  async logon({ signal }: CallOptions = {}): Promise<void> {
    if (this.#life !== undefined)
      throw new SshError("misuse", `expected a closed tunnel to log on, got one that is ${this.state}`);
    const life: Life = {
      abort: new AbortController(),
      state: "connecting",
      link: undefined,
      coming: later(),
      established: false,
    };
    const aborted = (): void => {
      if (life.established) return;
      life.abort.abort(new SshError("aborted", "the logon was aborted", { cause: signal?.reason }));
    };
    const settled = onAbort(signal, aborted);
    this.#life = life;
    this.#closed = settleable();
    this.#turnedAway = 0;
    try {
      const failure = await this.#connectToAny(life);
      if (failure !== undefined) {
        const again = this.#options.reconnect.mode === "always" ? await this.#reconnect(life, failure) : failure;
        if (again !== undefined) throw again;
      }
    } catch (cause) {
      const error = toSshError(cause, "connect", "the logon failed");
      this.#end(life, error);
      throw error;
    } finally {
      settled();
    }
  }

  /**
   * Asks the host to listen on a port. With `target`, bytes flow between each visitor and the target; without it, iterate
   * the forwarding for the channels. After a reconnection the same forwarding is asked for again. With `wait`, a port that is taken is waited for.
   *
   * During the logon the request waits for its end. Where a key is all there is to log on with and the host is known to
   * work in order (OpenSSH, dropbear, our own), it travels with the logon and saves a round trip (RFC 4252 section 5.1).
   *
   * @throws SshError `refused` or `denied` with the reason the host gave; `misuse`, `closed`, `aborted`; the logon's error when that fails
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
    const life = this.#life;
    if (life === undefined || (life.established && life.link === undefined)) {
      throw new SshError("closed", `expected an open tunnel, got one that is ${this.state}`);
    }
    const forwarding = new ActiveForwarding(
      {
        platform: this.#platform,
        targetTimeoutMs: this.#options.targetTimeoutMs,
        isCurrent: (link) => this.#life?.link === link,
        changed: (self, state, reason) => {
          if (state === "open") this.#forwardings.add(forwarding);
          if (state === "closed") this.#forget(forwarding);
          this.#timeline.add(state, reason, self);
          this.dispatchEvent(new ForwardingEvent(self, state, reason));
        },
        visitorError: (self, origin, error) => this.dispatchEvent(new VisitorErrorEvent(self, origin, error)),
      },
      checked,
    );
    const given = call.signal === undefined ? life.abort.signal : AbortSignal.any([life.abort.signal, call.signal]);
    await this.#openForwarding(life, forwarding, call, given);
    return forwarding;
  }

  /**
   * Ends the tunnel; its connections end with it. Does nothing when it is closed; ends a logon that is under way. Resolves when the
   * host has taken our goodbye; a signal that fires drops the connection without waiting for that.
   */
  async logoff({ signal }: CallOptions = {}): Promise<void> {
    const life = this.#life;
    if (life === undefined) return;
    const { link } = life;
    if (link !== undefined) {
      this.#end(life, undefined);
      await link.connection.close({ signal });
      return;
    }
    // A first logon that is under way fails with this error; a tunnel that was open is merely told to stop.
    if (life.established) this.#end(life, undefined);
    else life.abort.abort(new SshError("aborted", "the tunnel was logged off"));
    await this.closed.catch(() => {});
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
    const wire = this.#life?.link?.connection.stats();
    return {
      ...sumOf([this.#past, ...leaving, ...forwardings.values()]),
      ...sumOfWires(this.#pastWire, wire),
      roundTripMs: wire?.roundTripMs,
      reconnects: this.#reconnects,
      forwardings,
    };
  }

  /** `await using tunnel`: logs off at the end of the block. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.logoff();
  }

  /** Requests the port on the current link or the next one, until that succeeds or no further link is of any use. */
  async #openForwarding(
    life: Life,
    forwarding: ActiveForwarding,
    call: CallOptions,
    given: AbortSignal,
  ): Promise<void> {
    for (;;) {
      const link = life.link ?? (await unlessAborted(life.coming.promise, given));
      if (link === undefined) throw toSshError(given.reason, "aborted", "the call was aborted");
      try {
        return await forwarding.open(link, call, given);
      } catch (error) {
        if (given.aborted || !(await forwarding.continuesAfter(link))) throw error;
      }
    }
  }

  /** The first attempt: each host once, in turn, while it is of any use. */
  async #connectToAny(life: Life): Promise<SshError | undefined> {
    let failure = await this.#connect(life);
    for (let left = this.#options.endpoints.length - 1; left > 0; left--) {
      if (failure === undefined || isFinal(failure)) break;
      failure = await this.#connect(life, failure);
    }
    return failure;
  }

  /** One attempt. Gives the failure, or undefined when the tunnel is open. */
  async #connect(life: Life, reason?: SshError): Promise<SshError | undefined> {
    this.#become(life, "connecting", reason);
    if (life.abort.signal.aborted) return abortReason(life);
    const { endpoints } = this.#options;
    // There is one: the options were checked.
    const endpoint = endpoints[this.#endpoint % endpoints.length] as Endpoint;
    const up = later<boolean>();
    let met = false;
    try {
      const events = {
        authenticating: (link: Link) => {
          met = !this.#patient;
          this.#become(life, "authenticating");
          if (met) this.#meet(life, link);
        },
        banner: (message: string) => void this.dispatchEvent(new NoticeEvent("banner", message)),
        debug: (message: string) => void this.dispatchEvent(new NoticeEvent("debug", message)),
      };
      const link = await openLink(this.#platform, this.#options, endpoint, events, {
        signal: life.abort.signal,
        up: up.promise,
      });
      if (life.abort.signal.aborted) {
        up.resolve(false);
        await link.connection.close();
        return abortReason(life);
      }
      this.#turnedAway = 0;
      this.#opened(life, link);
      up.resolve(true);
      if (!met) this.#meet(life, link);
      return undefined;
    } catch (cause) {
      if (!(cause instanceof LinkFailure)) throw cause;
      up.resolve(false);
      if (met) {
        // Those who had this link look for the next one; those who wait still do.
        life.coming = later();
        this.#patient = true;
      }
      this.#endpoint++;
      this.#turnedAway = cause.unseen ? this.#turnedAway + 1 : 0;
      return life.abort.signal.aborted ? abortReason(life) : cause.error;
    }
  }

  /** Ports are asked for on that link. */
  #meet(life: Life, link: Link): void {
    life.coming.resolve(link);
    for (const forwarding of this.#forwardings) void forwarding.attach(link);
  }

  #opened(life: Life, link: Link): void {
    life.link = link;
    life.established = true;
    void link.connection.closed.then(
      () => this.#end(life, undefined),
      (error: SshError) => void this.#lost(life, link, error),
    );
    const { selfCheckMs } = this.#options;
    if (selfCheckMs > 0) {
      this.#selfCheck = setInterval(() => void this.#checkSelf(), Math.min(selfCheckMs, longestTimerMs));
    }
    this.#become(life, "open");
  }

  /** The connection broke: makes it again, if that is wanted and of any use. */
  async #lost(life: Life, link: Link, error: SshError): Promise<void> {
    if (this.#life !== life || life.link !== link) return;
    const { mode, maxRetries } = this.#options.reconnect;
    if (mode === "never" || maxRetries < 1 || isFinal(error)) return this.#end(life, error);
    this.#unlink(life);
    life.coming = later();
    this.#become(life, "waiting", error);
    for (const forwarding of this.#forwardings) forwarding.detach(error);
    try {
      const again = await this.#reconnect(life, error);
      if (again !== undefined) return this.#end(life, again);
      this.#reconnects++;
    } catch (cause) {
      this.#end(life, toSshError(cause, "connect", "the reconnection failed"));
    }
  }

  /** Attempts in a row, until one succeeds (undefined) or it is time to give up (the reason). */
  async #reconnect(life: Life, lost: SshError): Promise<SshError | undefined> {
    let reason = lost;
    for (let attempt = 1; ; attempt++) {
      const { reconnect, beforeReconnect } = this.#options;
      if (life.abort.signal.aborted) return abortReason(life);
      if (isFinal(reason) || attempt > reconnect.maxRetries) return reason;
      // Said before the event, for by then the connection is down.
      if (attempt > 1 || life.state !== "waiting") this.#become(life, "waiting", reason);
      const intervalMs = waitBefore(reconnect, attempt, reason, this.#turnedAway, this.#chance());
      const event = new ReconnectAttemptEvent(attempt, reconnect.maxRetries, intervalMs, reason);
      if (!this.dispatchEvent(event)) return reason;
      await sleep(intervalMs, life.abort.signal);
      if (life.abort.signal.aborted) return abortReason(life);
      try {
        const changes = await unlessAborted(beforeReconnect?.({ attempt, reason }), life.abort.signal);
        if (life.abort.signal.aborted) return abortReason(life);
        if (changes) this.#options = changeOptions(this.#options, changes);
      } catch (cause) {
        reason = toSshError(cause, "connect", "beforeReconnect failed");
        continue;
      }
      const failure = await this.#connect(life);
      if (failure === undefined) return undefined;
      reason = failure;
    }
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

  /** A fraction from 0 to 1, of the platform's randomness. */
  #chance(): number {
    return (this.#platform.random(1)[0] ?? 0) / 255;
  }

  #forget(forwarding: ActiveForwarding): void {
    if (!this.#forwardings.delete(forwarding)) return;
    this.#leaving.add(forwarding);
    void forwarding.idle().then(() => {
      this.#leaving.delete(forwarding);
      this.#past = sumOf([this.#past, forwarding.stats()]);
    });
  }

  /** The connection is of no use any more. */
  #unlink(life: Life): void {
    this.#pastWire = sumOfWires(this.#pastWire, life.link?.connection.stats());
    life.link = undefined;
    clearInterval(this.#selfCheck);
  }

  #become(life: Life, state: Life["state"], reason?: SshError): void {
    if (this.#life !== life) return;
    life.state = state;
    this.#timeline.add(state, reason);
    this.dispatchEvent(new StateEvent(state, reason));
  }

  #end(life: Life, error: SshError | undefined): void {
    if (this.#life !== life) return;
    this.#life = undefined;
    this.#unlink(life);
    life.abort.abort(error);
    for (const forwarding of [...this.#forwardings, ...this.#leaving]) forwarding.end(error);
    this.#timeline.add("closed", error);
    this.dispatchEvent(new StateEvent("closed", error));
    this.#closed.settle(error);
  }
}

function abortReason({ abort }: Life): SshError {
  return toSshError(abort.signal.reason, "aborted", "the logon was aborted");
}
