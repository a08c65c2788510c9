/**
 * The public class: connects, requests ports, serves the connections that arrive there, and reconnects.
 * Longer than 300 lines, because most of it documents the public calls.
 * @module
 */
import { type CallOptions, onAbort, type PeerInfo, type SshConnection, setRef, TypedEventTarget } from "@postern/ssh";
import { maxTimerMs, SshError } from "@postern/wire";
import { ActiveForwarding } from "./active-forwarding.ts";
import { checkCallOptions, checkCloseOptions, checkForwardOptions, checkListenOptions } from "./check-calls.ts";
import { checkTunnelOptions } from "./check-options.ts";
import {
  ForwardingEvent,
  NoticeEvent,
  SelfCheckEvent,
  StateEvent,
  type TunnelEvents,
  type TunnelState,
  VisitorErrorEvent,
} from "./events.ts";
import type { Forwarding, ForwardingState, Listener } from "./forwarding.ts";
import type { ForwardingStats } from "./forwarding-stats.ts";
import type { Link } from "./link.ts";
import type { ForwardLocalOptions, LocalForwarder, LocalForwarding, LocalSocksOptions } from "./local-options.ts";
import type {
  CheckedForwarding,
  CheckedOptions,
  CloseOptions,
  ForwardOptions,
  ListenOptions,
  TunnelOptions,
} from "./options.ts";
import type { Platform } from "./platform.ts";
import { sumOf, Timeline, type TimelineEntry, type TunnelStats } from "./stats.ts";
import { Supervisor } from "./supervisor.ts";
import { abortableCall, sleep } from "./waiting.ts";

/**
 * A reverse tunnel through an SSH server.
 *
 * Events: `state`, `reconnectattempt`, `forwarding`, `selfcheck`, `banner`, `debug`, `message`, `visitorerror`,
 * `localerror` (see
 * `TunnelEvents`). No listener is required.
 *
 * When a tunnel that was connected gives up, `closed` rejects. If no code handles that, and no call or iterator rejects
 * with the same error, it is an unhandled rejection. A program that only uses events adds
 * `tunnel.closed.catch(() => {})`.
 */
export class ReverseTunnel extends TypedEventTarget<TunnelEvents> {
  readonly #platform: Platform;
  readonly #options: CheckedOptions;
  readonly #supervisor: Supervisor;
  readonly #forwardings = new Set<ActiveForwarding>();
  /** Forwardings that have never been open: `forward()` or `listen()` has not resolved yet. */
  readonly #opening = new Set<ActiveForwarding>();
  /** Closed forwardings that still have open connections. */
  readonly #draining = new Set<ActiveForwarding>();
  readonly #local: LocalForwarder | undefined;
  readonly #timeline = new Timeline();
  #past: ForwardingStats = sumOf([]);
  /** The link on which ports are requested. If its login has failed, requests on it reject. */
  #link: Link | undefined;
  #selfCheck: ReturnType<typeof setInterval> | undefined;
  #isChecking = false;

  /** @throws SshError `misuse` for options that are unknown, missing or out of range */
  constructor(options: TunnelOptions, platform: Platform) {
    super();
    this.#platform = platform;
    this.#options = checkTunnelOptions(options, platform);
    this.#supervisor = new Supervisor(platform, this.#options, {
      stateChanged: (state, reason) => this.#stateChanged(state, reason),
      attemptDue: (event) => this.dispatchEvent(event),
      linkReady: (link) => {
        this.#link = link;
        for (const forwarding of [...this.#forwardings, ...this.#opening]) void forwarding.attach(link);
      },
      linkLost: (error) => {
        this.#link = undefined;
        for (const forwarding of [...this.#forwardings, ...this.#opening]) forwarding.detach(error);
      },
      ended: (error) => {
        this.#link = undefined;
        for (const forwarding of [...this.#forwardings, ...this.#opening, ...this.#draining]) forwarding.end(error);
        this.#local?.end(error);
      },
      banner: (message) => void this.dispatchEvent(new NoticeEvent("banner", message)),
      debug: (message) => void this.dispatchEvent(new NoticeEvent("debug", message)),
      message: (message) => {
        this.#options.hosted?.read(message, [...this.#forwardings, ...this.#opening], (one) =>
          this.#forwardingChanged(one, one.state, one.reason),
        );
        this.dispatchEvent(new NoticeEvent("message", message));
      },
    });
    this.#local = platform.local?.({
      tunnel: this,
      connection: () => this.connection,
      targetTimeoutMs: this.#options.targetTimeoutMs,
      free: platform.free,
    });
  }

  /** The current state. */
  get state(): TunnelState {
    return this.#supervisor.state;
  }

  /**
   * One promise for the life of the tunnel. Resolves after `close()`; rejects with an SshError if the first login
   * failed or the tunnel gave up. It settles before the last `state` event fires.
   *
   * If a tunnel that was connected gives up and nothing handles the rejection, it is reported as an unhandled
   * rejection, which ends a Node.js process. It counts as handled if `connect()`, a pending call or an iterator of a
   * listener rejects with the same error.
   */
  get closed(): Promise<void> {
    return this.#supervisor.closed;
  }

  /**
   * The server of the current connection: its version, and the algorithms that were negotiated. `undefined` unless the
   * host key of a connection has been accepted.
   */
  get peer(): PeerInfo | undefined {
    return this.#link?.connection.peer;
  }

  /**
   * The current connection, for sessions and channels of one's own: see `openSession`. `undefined` unless the tunnel is
   * open. After a reconnection it is another one.
   */
  get connection(): SshConnection | undefined {
    return this.state === "open" ? this.#link?.connection : undefined;
  }

  /** The forwardings that have been open and are not closed. A first request that is pending is not among them. */
  get forwardings(): readonly Forwarding[] {
    return [...this.#forwardings];
  }

  /** The last 100 state changes of the tunnel and its forwardings, oldest first. */
  get timeline(): readonly TimelineEntry[] {
    return this.#timeline.entries;
  }

  /**
   * Dials the server, verifies its host key, and logs in. With `reconnect.mode` `always`, failures are retried until
   * one is final or `maxRetries` is reached. A tunnel that has ended cannot connect again: create a new one.
   *
   * @throws SshError `connect`, `version`, `negotiation`, `hostkey`, `auth`, `timeout`, …; `misuse` if it was called
   * before; the signal's reason if the signal aborts before the login is complete, which ends the tunnel
   * @example
   * await tunnel.connect({ signal: AbortSignal.timeout(10_000) });
   */
  async connect(options: CallOptions = {}, ...ignored: []): Promise<void> {
    checkCallOptions("connect", options, ignored);
    await abortableCall(options.signal, this.#supervisor.start(options), this.#rejected);
  }

  /**
   * Asks the server to listen on a port, and connects each visitor to `target`. Resolves once the server listens. After
   * a reconnection the same forwarding requests its port again.
   *
   * May be called in every state but `closed`. Before `connect()` and during a reconnection it waits for the next
   * connection. A request that is made during login is sent together with the login, which saves a round trip (RFC 4252
   * section 5.1). This requires that a key is the only login method, and that the server is known to process messages
   * in order. Otherwise the request is sent after the login.
   *
   * @throws SshError `refused` or `denied`, with the server's reason if it sent one; `misuse`; `closed`; the error that
   * ends the tunnel; the signal's reason if the signal aborts
   * @example
   * const web = await tunnel.forward({ port: 8080, target: { host: "127.0.0.1", port: 80 } });
   */
  async forward(options: ForwardOptions, ...ignored: []): Promise<Forwarding> {
    const checked = checkForwardOptions(options, ignored, this.#platform, this.#options.hosted?.request);
    return await this.#request(checked, options.signal);
  }

  /**
   * Asks the server to listen on a port, and returns the listener: an async iterable of one channel per visitor.
   * Otherwise it works as `forward()`.
   *
   * @throws SshError as `forward()` does
   * @example
   * const listener = await tunnel.listen({ port: 8080 });
   * for await (const channel of listener) void channel.readable.pipeTo(channel.writable).catch(console.error);
   */
  async listen(options: ListenOptions, ...ignored: []): Promise<Listener> {
    const checked = checkListenOptions(options, ignored, this.#platform, this.#options.hosted?.request);
    return await this.#request(checked, options.signal);
  }

  /**
   * Listens on a port or UNIX socket of this machine, and asks the server to connect each connection to `target`: `ssh
   * -L`. Resolves once this machine listens, also before `connect()` and during a reconnection. A connection that
   * arrives while the tunnel is not open waits for it; it is reset if it has no target after `targetTimeoutMs`, and
   * `localerror` fires. Only on platforms that listen, such as Node.js.
   *
   * @throws SshError `connect` if the port is in use; `misuse`; `closed`; the signal's reason if the signal aborts
   * @example
   * const database = await tunnel.forwardLocal({ port: 5432, target: { host: "db.internal", port: 5432 } });
   */
  async forwardLocal(options: ForwardLocalOptions, ...ignored: []): Promise<LocalForwarding> {
    return await this.#here.listen("forwardLocal", options, ignored);
  }

  /**
   * Listens on a port of this machine as a SOCKS proxy (SOCKS5, SOCKS4 and SOCKS4a), and asks the server to connect to
   * the addresses that its clients name: `ssh -D`. It has no authentication, so any program that reaches the port may
   * use it. Otherwise it works as `forwardLocal()`.
   *
   * @throws SshError as `forwardLocal()` does
   * @example
   * const proxy = await tunnel.socks({ port: 1080 });
   */
  async socks(options: LocalSocksOptions, ...ignored: []): Promise<LocalForwarding> {
    return await this.#here.listen("socks", options, ignored);
  }

  /**
   * Ends the tunnel and the connections of its visitors. With `drainMs` it first frees the ports, and waits up to that
   * many milliseconds for the visitors to finish. An abort of the signal ends the wait. A login that is in progress is
   * aborted. Does nothing if the tunnel is closed.
   *
   * @throws SshError `misuse` for options that are unknown or out of range
   */
  async close(options: CloseOptions = {}, ...ignored: []): Promise<void> {
    const drainMs = checkCloseOptions(options, ignored);
    const { signal } = options;
    if (this.#supervisor.hasEnded) return;
    this.#supervisor.beginClose();
    if (drainMs > 0) await this.#drain(drainMs, signal);
    await this.#supervisor.stop({ signal });
  }

  /**
   * Call it when the network has changed, for example when the machine has joined another one. A tunnel that
   * waits for its next attempt makes it at once; names are resolved again at each attempt. A tunnel that is open asks
   * the server for an answer, and reconnects if nothing arrives within 5 seconds. In other states it does nothing.
   */
  reconnectNow(): void {
    this.#supervisor.reconnectNow();
  }

  /** Returns statistics since the tunnel was created. */
  stats(): TunnelStats {
    const forwardings = new Map([...this.#forwardings].map((one) => [one as Forwarding, one.stats()]));
    const draining = [...this.#draining].map((one) => one.stats());
    return {
      ...sumOf([this.#past, ...draining, ...forwardings.values()]),
      ...this.#supervisor.stats(),
      forwardings,
    };
  }

  /** Undoes {@link unref}. */
  ref(): void {
    this.#setRef(true);
  }

  /**
   * The tunnel no longer keeps the process alive: not its connection, and not a wait before it reconnects. A dial or a
   * login in progress, open visitors and whatever else the program does still keep it alive. Has an effect only where
   * sockets and timers have `unref`, as on Node.js.
   */
  unref(): void {
    this.#setRef(false);
  }

  /** `await using tunnel` closes it at the end of the block. Never throws. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close().catch(() => {});
  }

  #setRef(keepsAlive: boolean): void {
    this.#supervisor.setRef(keepsAlive);
    this.#local?.setRef(keepsAlive);
  }

  get #here(): LocalForwarder {
    if (this.#local !== undefined) return this.#local;
    throw new SshError("misuse", "expected a runtime that listens on ports, got one that cannot: use @postern/node");
  }

  /** Requests a port on the current link, or on the next one, and resolves with its forwarding. */
  async #request(checked: CheckedForwarding, signal: AbortSignal | undefined): Promise<ActiveForwarding> {
    if (this.#supervisor.hasEnded) {
      throw new SshError("closed", "expected a tunnel that has not ended, got one that has: create a new one");
    }
    if (signal?.aborted) throw signal.reason;
    const forwarding = new ActiveForwarding(
      {
        platform: this.#platform,
        targetTimeoutMs: this.#options.targetTimeoutMs,
        hosted: this.#options.hosted,
        changed: (_self, state, reason) => this.#forwardingChanged(forwarding, state, reason),
        failed: (error) => {
          const isFinal = this.#options.exitOnForwardFailure && ["refused", "denied", "protocol"].includes(error.code);
          if (isFinal) this.#supervisor.end(error);
        },
        rejected: this.#rejected,
        visitorError: (self, origin, error) => this.dispatchEvent(new VisitorErrorEvent(self, origin, error)),
      },
      checked,
    );
    this.#opening.add(forwarding);
    try {
      if (this.#link !== undefined) void forwarding.attach(this.#link);
      await abortableCall(signal, forwarding.opened(signal), this.#rejected);
      return forwarding;
    } finally {
      this.#opening.delete(forwarding);
    }
  }

  async #drain(drainMs: number, signal: AbortSignal | undefined): Promise<void> {
    const local = this.#local === undefined ? [] : [this.#local];
    const forwardings = [...this.#forwardings, ...this.#draining, ...local];
    const over = new AbortController();
    const stopListening = onAbort(signal, () => over.abort());
    const finished = Promise.allSettled(forwardings.map((one) => one.close())).then(() =>
      Promise.all(forwardings.map((one) => one.idle())),
    );
    // `closed` rejects if the first login was in progress.
    const end = (): void => over.abort();
    void Promise.race([finished, this.closed]).then(end, end);
    await sleep(drainMs, over.signal);
    stopListening();
  }

  #forwardingChanged(forwarding: ActiveForwarding, state: ForwardingState, reason: SshError | undefined): void {
    if (state === "open") {
      this.#opening.delete(forwarding);
      this.#forwardings.add(forwarding);
    }
    if (state === "closed") this.#closed(forwarding);
    this.#timeline.add(state, reason, forwarding);
    this.dispatchEvent(new ForwardingEvent(forwarding, state, reason));
  }

  readonly #rejected = (error: unknown): void => this.#supervisor.reported(error);

  #stateChanged(state: TunnelState, reason: SshError | undefined): void {
    clearInterval(this.#selfCheck);
    const { selfCheckMs } = this.#options;
    if (state === "open" && selfCheckMs > 0) {
      this.#selfCheck = setInterval(() => void this.#checkSelf(), Math.min(selfCheckMs, maxTimerMs));
      // The open connection decides whether the process stays alive.
      setRef(this.#selfCheck, false);
    }
    this.#timeline.add(state, reason);
    this.dispatchEvent(new StateEvent(state, reason));
  }

  async #checkSelf(): Promise<void> {
    // A probe may take longer than the interval, so rounds must not overlap.
    if (this.#isChecking) return;
    this.#isChecking = true;
    for (const forwarding of this.#forwardings) {
      if (forwarding.state !== "open") continue;
      try {
        this.dispatchEvent(new SelfCheckEvent(forwarding, await forwarding.runProbe()));
      } catch {
        // The connection was lost, which fires its own events.
      }
    }
    this.#isChecking = false;
  }

  #closed(forwarding: ActiveForwarding): void {
    this.#forwardings.delete(forwarding);
    this.#draining.add(forwarding);
    void forwarding.idle().then(() => {
      this.#draining.delete(forwarding);
      this.#past = sumOf([this.#past, forwarding.stats()]);
    });
  }
}
