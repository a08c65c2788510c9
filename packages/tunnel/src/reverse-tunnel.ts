/** The facade: dial out, log on, ask for ports, serve what arrives there, and come back when the connection is lost. @module */
import type { CallOptions } from "@postern/ssh";
import { Limits, SshError, toSshError } from "@postern/wire";
import { ActiveForwarding } from "./active-forwarding.ts";
import {
  ForwardingEvent,
  MessageEvent,
  ReconnectAttemptEvent,
  SelfCheckEvent,
  StateEvent,
  type TunnelEvents,
  type TunnelState,
  VisitorErrorEvent,
} from "./events.ts";
import type { Forwarding, ForwardingStats } from "./forwarding.ts";
import { type Link, LinkFailure, openLink } from "./link.ts";
import {
  type CheckedOptions,
  changeOptions,
  checkForwardingOptions,
  checkTunnelOptions,
  type ForwardingOptions,
  type TunnelOptions,
} from "./options.ts";
import type { Platform } from "./platform.ts";
import { isFinal, waitBefore } from "./reconnect.ts";
import { sumOf, Timeline, type TimelineEntry, type TunnelStats } from "./stats.ts";

/** One life of the tunnel, from `logon` to its end. `abort` ends what is under way: a dial, a logon, a wait. */
interface Life {
  readonly abort: AbortController;
  state: Exclude<TunnelState, "closed">;
  link: Link | undefined;
  /** whether it was open once: then an end that the program asked for is no failure */
  established: boolean;
}

/**
 * A reverse tunnel through an SSH host.
 *
 * Events: `state`, `reconnectattempt`, `forwarding`, `selfcheck`, `banner`, `debug`, `visitorerror` (see {@link TunnelEvents}).
 * None of them has to be handled.
 */
export class ReverseTunnel extends EventTarget {
  readonly #platform: Platform;
  #options: CheckedOptions;
  readonly #forwardings = new Set<ActiveForwarding>();
  readonly #timeline = new Timeline();
  #life: Life | undefined;
  #closed = settleable();
  /** which of the hosts is dialled next */
  #endpoint = 0;
  #reconnects = 0;
  /** how often in a row the host dropped us before its key was seen */
  #turnedAway = 0;
  #past: ForwardingStats = sumOf([]);
  #selfCheck: ReturnType<typeof setInterval> | undefined;

  /** @throws SshError `misuse` for options that are unknown, missing or out of range */
  constructor(options: TunnelOptions, platform: Platform) {
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

  override addEventListener<Type extends keyof TunnelEvents>(
    type: Type,
    handler: ((event: TunnelEvents[Type]) => void) | null,
    options?: AddEventListenerOptions | boolean,
  ): void;
  override addEventListener(
    type: string,
    handler: EventListenerOrEventListenerObject | null,
    options?: AddEventListenerOptions | boolean,
  ): void;
  override addEventListener(
    type: string,
    handler: ((event: never) => void) | EventListenerOrEventListenerObject | null,
    options?: AddEventListenerOptions | boolean,
  ): void {
    super.addEventListener(type, handler as EventListenerOrEventListenerObject | null, options);
  }

  /**
   * Dials the host, verifies its key, and logs on. With `reconnect.mode` `always` a failure is tried again until it is final.
   *
   * @throws SshError `connect`, `version`, `negotiation`, `hostkey`, `auth`, `timeout`, `aborted`, …; `misuse` when it is under way or done
   * @example
   * await tunnel.logon({ signal: AbortSignal.timeout(10_000) });
   */
  async logon({ signal }: CallOptions = {}): Promise<void> {
    if (this.#life !== undefined) throw new SshError("misuse", `expected a closed tunnel to log on, got one that is ${this.state}`);
    const life: Life = { abort: new AbortController(), state: "connecting", link: undefined, established: false };
    const aborted = (): void => life.abort.abort(new SshError("aborted", "the logon was aborted", { cause: signal?.reason }));
    if (signal?.aborted) aborted();
    signal?.addEventListener("abort", aborted, { once: true });
    this.#life = life;
    this.#closed = settleable();
    this.#turnedAway = 0;
    try {
      const failure = await this.#connect(life);
      if (failure !== undefined) {
        const again = this.#options.reconnect.mode === "always" ? await this.#reconnect(life, failure) : failure;
        if (again !== undefined) throw again;
      }
    } catch (cause) {
      const error = toSshError(cause, "connect", "the logon failed");
      this.#end(life, error);
      throw error;
    } finally {
      signal?.removeEventListener("abort", aborted);
    }
  }

  /**
   * Asks the host to listen on a port. With `target`, bytes flow between each visitor and the target; without it, iterate
   * the forwarding for the channels. After a reconnection the same forwarding is asked for again.
   *
   * @throws SshError `refused` or `denied` with the reason the host gave; `misuse`, `closed`, `aborted`
   * @example
   * const web = await tunnel.requestForwarding({ port: 8080, target: { host: "127.0.0.1", port: 80 } });
   */
  async requestForwarding(options: ForwardingOptions, call: CallOptions = {}): Promise<Forwarding> {
    const checked = checkForwardingOptions(options);
    const link = this.#life?.link;
    if (link === undefined) throw new SshError("closed", `expected an open tunnel, got one that is ${this.state}`);
    const forwarding = new ActiveForwarding(
      {
        platform: this.#platform,
        targetTimeoutMs: this.#options.targetTimeoutMs,
        changed: (self, state, reason) => {
          if (state === "closed") this.#forget(forwarding);
          this.#timeline.add(state, reason, self);
          this.dispatchEvent(new ForwardingEvent(self, state, reason));
        },
        visitorError: (self, origin, error) => this.dispatchEvent(new VisitorErrorEvent(self, origin, error)),
      },
      checked,
    );
    await forwarding.open(link, call);
    if (this.#life?.link !== link) {
      const error = new SshError("closed", "the connection ended when the host had just begun to listen");
      forwarding.end(error);
      throw error;
    }
    this.#forwardings.add(forwarding);
    return forwarding;
  }

  /** Ends the tunnel; its connections end with it. Does nothing when it is closed; ends a logon that is under way. */
  async logoff(): Promise<void> {
    const life = this.#life;
    if (life === undefined) return;
    const { link } = life;
    if (link !== undefined) {
      this.#end(life, undefined);
      await link.connection.close();
      return;
    }
    // A first logon that is under way fails with this error; a tunnel that was open is merely told to stop.
    if (life.established) this.#end(life, undefined);
    else life.abort.abort(new SshError("aborted", "the tunnel was logged off"));
    await this.closed.catch(() => {});
  }

  /**
   * Ends the tunnel without cutting anybody off: frees the ports, lets connections finish for at most `deadlineMs` (default 30 s), logs off.
   */
  async drain({ deadlineMs = Limits.drainMs }: { readonly deadlineMs?: number } = {}): Promise<void> {
    const leaving = [...this.#forwardings];
    let timer: ReturnType<typeof setTimeout> | undefined;
    const deadline = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, deadlineMs);
    });
    const finished = Promise.allSettled(leaving.map((one) => one.cancel())).then(() => Promise.all(leaving.map((one) => one.idle())));
    await Promise.race([finished, deadline, this.closed.catch(() => {})]);
    clearTimeout(timer);
    await this.logoff();
  }

  /** Figures since the tunnel was made. */
  stats(): TunnelStats {
    const forwardings = new Map([...this.#forwardings].map((one) => [one as Forwarding, one.stats()]));
    const wire = this.#life?.link?.connection.stats();
    return {
      ...sumOf([this.#past, ...forwardings.values()]),
      wireBytesIn: wire?.bytesIn ?? 0,
      wireBytesOut: wire?.bytesOut ?? 0,
      roundTripMs: wire?.roundTripMs,
      rekeys: wire?.rekeys ?? 0,
      reconnects: this.#reconnects,
      forwardings,
    };
  }

  /** `await using tunnel`: logs off at the end of the block. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.logoff();
  }

  /** One attempt. Gives the failure, or undefined when the tunnel is open. */
  async #connect(life: Life): Promise<SshError | undefined> {
    this.#become(life, "connecting");
    const { endpoints } = this.#options;
    const endpoint = endpoints[this.#endpoint % endpoints.length];
    if (endpoint === undefined) throw new SshError("misuse", "expected a host");
    try {
      const events = {
        authenticating: () => this.#become(life, "authenticating"),
        banner: (message: string) => void this.dispatchEvent(new MessageEvent("banner", message)),
        debug: (message: string) => void this.dispatchEvent(new MessageEvent("debug", message)),
      };
      const link = await openLink(this.#platform, this.#options, endpoint, events, life.abort.signal);
      if (life.abort.signal.aborted) {
        await link.connection.close();
        return abortReason(life);
      }
      this.#turnedAway = 0;
      this.#opened(life, link);
      return undefined;
    } catch (cause) {
      if (!(cause instanceof LinkFailure)) throw cause;
      this.#endpoint++;
      this.#turnedAway = cause.unseen ? this.#turnedAway + 1 : 0;
      return life.abort.signal.aborted ? abortReason(life) : cause.error;
    }
  }

  #opened(life: Life, link: Link): void {
    life.link = link;
    life.established = true;
    void link.connection.closed.then(
      () => this.#end(life, undefined),
      (error: SshError) => void this.#lost(life, link, error),
    );
    this.#become(life, "open");
    const { selfCheckMs } = this.#options;
    if (selfCheckMs > 0) this.#selfCheck = setInterval(() => void this.#checkSelf(), selfCheckMs);
  }

  /** The connection broke: makes it again, if that is wanted and of any use. */
  async #lost(life: Life, link: Link, error: SshError): Promise<void> {
    if (this.#life !== life || life.link !== link) return;
    life.link = undefined;
    clearInterval(this.#selfCheck);
    for (const forwarding of this.#forwardings) forwarding.detach(error);
    try {
      const again = this.#options.reconnect.mode === "never" ? error : await this.#reconnect(life, error);
      if (again !== undefined) return this.#end(life, again);
      this.#reconnects++;
    } catch (cause) {
      return this.#end(life, toSshError(cause, "connect", "the reconnection failed"));
    }
    const now = life.link as Link | undefined;
    if (now === undefined) return;
    for (const forwarding of [...this.#forwardings]) void forwarding.attach(now);
  }

  /** Attempts in a row, until one succeeds (undefined) or it is time to give up (the reason). */
  async #reconnect(life: Life, lost: SshError): Promise<SshError | undefined> {
    let reason = lost;
    for (let attempt = 1; ; attempt++) {
      const { reconnect, beforeReconnect } = this.#options;
      if (isFinal(reason) || attempt > reconnect.maxRetries) return reason;
      const intervalMs = waitBefore(reconnect, attempt, reason, this.#turnedAway, this.#chance());
      const event = new ReconnectAttemptEvent(attempt, reconnect.maxRetries, intervalMs, reason);
      if (!this.dispatchEvent(event) || life.abort.signal.aborted) return abortReason(life) ?? reason;
      this.#become(life, "waiting", reason);
      await sleep(intervalMs, life.abort.signal);
      if (life.abort.signal.aborted) return abortReason(life);
      try {
        const changes = await beforeReconnect?.({ attempt, reason });
        if (changes) this.#options = changeOptions(this.#options, changes);
      } catch (cause) {
        reason = new SshError("connect", "beforeReconnect failed", { cause });
        continue;
      }
      const failure = await this.#connect(life);
      if (failure === undefined) return undefined;
      reason = failure;
    }
  }

  async #checkSelf(): Promise<void> {
    for (const forwarding of this.#forwardings) {
      if (forwarding.state !== "open") continue;
      try {
        this.dispatchEvent(new SelfCheckEvent(forwarding, await forwarding.probe()));
      } catch {
        // The connection was lost meanwhile, and that is told otherwise.
      }
    }
  }

  /** A fraction from 0 to 1, of the platform's randomness. */
  #chance(): number {
    return (this.#platform.random(1)[0] ?? 0) / 255;
  }

  #forget(forwarding: ActiveForwarding): void {
    if (this.#forwardings.delete(forwarding)) this.#past = sumOf([this.#past, forwarding.stats()]);
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
    life.link = undefined;
    clearInterval(this.#selfCheck);
    life.abort.abort(error);
    for (const forwarding of [...this.#forwardings]) forwarding.end(error);
    this.#timeline.add("closed", error);
    this.dispatchEvent(new StateEvent("closed", error));
    this.#closed.settle(error);
  }
}

function abortReason({ abort }: Life): SshError {
  return toSshError(abort.signal.reason, "aborted", "the logon was aborted");
}

/** Waits; a signal ends the wait early. */
function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, Math.min(ms, 2 ** 31 - 1));
    signal.addEventListener("abort", done, { once: true });
  });
}

/** A promise that nobody has to look at, and what settles it. */
function settleable(): { readonly promise: Promise<void>; settle(error: SshError | undefined): void } {
  let settle: (error: SshError | undefined) => void = () => {};
  const promise = new Promise<void>((resolve, reject) => {
    settle = (error) => {
      if (error === undefined) resolve();
      else reject(error);
    };
  });
  promise.catch(() => {});
  return { promise, settle };
}
