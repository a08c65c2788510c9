/**
 * Supervises the links of one tunnel: the first login, reconnections, the waits between them, and the end.
 * Longer than 300 lines, because every step depends on the same state of the tunnel's life.
 * @module
 */
import { type CallOptions, onAbort, type Preferred, setRef } from "@postern/ssh";
import { SshError, toSshError } from "@postern/wire";
import * as Limits from "@postern/wire/limits";
import { changeOptions } from "./check-options.ts";
import { ReconnectAttemptEvent, type TunnelState } from "./events.ts";
import { Link, type LinkEvents } from "./link.ts";
import type { CheckedOptions, Endpoint } from "./options.ts";
import type { Platform } from "./platform.ts";
import { Backoff, isFinal, LinkFailure } from "./reconnect.ts";
import { nothingOnTheWire, sumOfWires, type WireStats } from "./stats.ts";
import { sleep, withDeadline } from "./waiting.ts";

/** Callbacks of a {@link Supervisor}. */
export interface SupervisorContext extends Pick<LinkEvents, "banner" | "debug" | "message"> {
  /** The state changed. `closed` comes last, after `ended`. */
  stateChanged(state: TunnelState, reason: SshError | undefined): void;
  /** An attempt is scheduled. Returns false to end the tunnel instead. */
  attemptDue(event: ReconnectAttemptEvent): boolean;
  /** Ports may be requested on this link. */
  linkReady(link: Link): void;
  /** The connection was lost, and the tunnel will reconnect. */
  linkLost(error: SshError): void;
  /** The tunnel ends: with an error, or because the program closed it. */
  ended(error: SshError | undefined): void;
}

/** Keeps a tunnel connected: one link after the other. */
export class Supervisor {
  state: TunnelState = "new";
  readonly #platform: Platform;
  readonly #context: SupervisorContext;
  #options: CheckedOptions;
  readonly #backoff: Backoff;
  /** Aborts the operation in progress: a dial, a login or a wait. */
  readonly #abort = new AbortController();
  /** Unlike a {@link Deferred} it is not marked as handled: an end that no code observes is an unhandled rejection. */
  readonly closed: Promise<void>;
  #settleClosed: (error: SshError | undefined) => void = () => {};
  /** Errors that calls and iterators of the program have rejected with. */
  readonly #reported = new WeakSet<object>();
  #life: "new" | "running" | "closing" | "ended" = "new";
  /** The error that the tunnel ended with. */
  #reason: SshError | undefined;
  /** The open link. */
  #link: Link | undefined;
  #hasLoggedIn = false;
  /** Index of the host to dial next. */
  #endpoint = 0;
  #reconnects = 0;
  #keepsAlive = true;
  /** The timer of the wait before an attempt. */
  #wait: unknown;
  /** Ends that wait. */
  #endWait: (() => void) | undefined;
  /** The next attempt is made at once. */
  #hurries = false;
  /**
   * Whether port requests may follow a login request at once. Not after one has failed, in case the server dropped it
   * because of them.
   */
  #pipelines = true;
  /**
   * The first choices of each server at the last login, to guess its key exchange. An attempt forgets them, and stores
   * them again if it succeeds, so that a guess that the server cannot handle is not repeated. Weak, because
   * `beforeReconnect` may return another server each time.
   */
  readonly #preferred = new WeakMap<Endpoint, Preferred>();
  /** Traffic of connections that have ended. */
  #pastWire: WireStats = nothingOnTheWire;

  constructor(platform: Platform, options: CheckedOptions, context: SupervisorContext) {
    this.#platform = platform;
    this.#options = options;
    this.#context = context;
    this.#backoff = new Backoff(options.reconnect, () => (platform.random(1)[0] ?? 0) / 255, options.endpoints.length);
    this.closed = new Promise((resolve, reject) => {
      this.#settleClosed = (error) => (error === undefined ? resolve() : reject(error));
    });
  }

  get hasEnded(): boolean {
    return this.#life === "ended";
  }

  /** Decides whether the tunnel keeps the process alive while it is open and while it waits. */
  setRef(keepsAlive: boolean): void {
    this.#keepsAlive = keepsAlive;
    setRef(this.#wait, keepsAlive);
    this.#link?.setRef(keepsAlive);
  }

  /** Ends the wait before the next attempt. If the tunnel is open, drops the connection unless the server answers. */
  reconnectNow(): void {
    this.#endWait?.();
    const { connection } = this.#link ?? {};
    if (connection === undefined) return;
    const before = connection.stats().bytesIn;
    const check = (): void => {
      if (connection.stats().bytesIn > before) return;
      const ms = Limits.answerMs;
      this.#hurries = true;
      connection.abort(new SshError("timeout", `expected an answer of the server within ${ms} ms, got nothing`));
    };
    const timer = setTimeout(check, Limits.answerMs);
    setRef(timer, false);
    const stop = (): void => clearTimeout(timer);
    connection.request("keepalive@openssh.com", new Uint8Array(0)).then(stop, stop);
  }

  /** The first login. @throws SshError */
  async start({ signal }: CallOptions): Promise<void> {
    if (this.#life !== "new") {
      const got = this.#life === "ended" ? "one that has ended: create a new one" : `one that is ${this.state}`;
      throw new SshError("misuse", `expected a tunnel that was never connected, got ${got}`);
    }
    this.#life = "running";
    const stopListening = onAbort(signal, () => {
      if (this.#hasLoggedIn) return;
      this.#abort.abort(new SshError("aborted", "the login was aborted", { cause: signal?.reason }));
    });
    try {
      let failure = await this.#connectToAny();
      if (failure !== undefined && this.#options.reconnect.mode === "always") failure = await this.#reconnect(failure);
      if (failure !== undefined) throw failure;
    } catch (cause) {
      const error = toSshError(cause, "connect", "the login failed");
      this.end(error);
      throw error;
    } finally {
      stopListening();
    }
  }

  /** The program closes the tunnel. From now on a lost connection ends it without an error. */
  beginClose(): void {
    if (this.#life === "running" && this.#hasLoggedIn) this.#life = "closing";
  }

  /** Ends the tunnel because the program closes it. */
  async stop({ signal }: CallOptions): Promise<void> {
    if (this.#life === "ended") return;
    const link = this.#link;
    // A first login in progress fails with this error. A tunnel that was open, or is new, ends without one.
    if (this.#hasLoggedIn || this.#life === "new") this.end(undefined);
    else this.#abort.abort(new SshError("aborted", "the tunnel was closed"));
    // The signal only shortens the wait, so `close` resolves when it aborts.
    await (link?.close({ signal }) ?? this.closed.catch(() => {}));
  }

  /** Ends the tunnel, and the connection that may be open. */
  end(error: SshError | undefined): void {
    if (this.#life === "ended") return;
    const isFailure = error !== undefined && this.#life !== "closing";
    const reason = isFailure ? error : undefined;
    this.#life = "ended";
    this.#reason = reason;
    const link = this.#link;
    this.#dropLink();
    this.state = "closed";
    // Before any event, because a listener may start a successor of this tunnel.
    this.#settleClosed(reason);
    // `connect()` rejects with the error of a failed first login.
    if (reason !== undefined && (!this.#hasLoggedIn || this.#reported.has(reason))) this.reported(reason);
    this.#abort.abort(reason ?? new SshError("closed", "the tunnel was closed"));
    this.#context.ended(reason);
    this.#context.stateChanged("closed", reason);
    void link?.close();
  }

  /**
   * A call or an iterator of the program has rejected. If it did so because the tunnel ended, `closed` counts as
   * handled.
   */
  reported(error: unknown): void {
    if (typeof error === "object" && error !== null) this.#reported.add(error);
    if (this.#reason !== undefined && error === this.#reason) this.closed.catch(() => {});
  }

  stats(): WireStats & { readonly roundTripMs: number | undefined; readonly reconnects: number } {
    const wire = this.#link?.connection.stats();
    return { ...sumOfWires(this.#pastWire, wire), roundTripMs: wire?.roundTripMs, reconnects: this.#reconnects };
  }

  /** The first attempt: each host once, in order. Returns the last failure. @throws a failure that is final */
  async #connectToAny(): Promise<SshError | undefined> {
    let failure: SshError | undefined;
    for (let left = this.#options.endpoints.length; left > 0; left--) {
      failure = await this.#connect(failure);
      if (failure === undefined) return undefined;
      if (this.#isFinal(failure)) throw failure;
    }
    return failure;
  }

  /** One attempt. Returns the failure, or undefined if the tunnel is open. */
  async #connect(reason?: SshError): Promise<SshError | undefined> {
    this.#become("connecting", reason);
    const { signal } = this.#abort;
    if (signal.aborted) return this.#abortReason();
    const { endpoints } = this.#options;
    // There is at least one: the options were checked.
    const endpoint = endpoints[this.#endpoint % endpoints.length] as Endpoint;
    const authenticating = (link: Link): void => {
      this.#become("authenticating");
      this.#context.linkReady(link);
    };
    try {
      const events = { ...this.#context, authenticating };
      const call = { signal, pipelines: this.#pipelines, guess: this.#preferred.get(endpoint) };
      this.#preferred.delete(endpoint);
      const link = await Link.open(this.#platform, this.#options, endpoint, events, call);
      if (signal.aborted) {
        const error = this.#abortReason();
        link.failed(new LinkFailure(error, "login"));
        await link.close();
        return error;
      }
      const { preferred } = link.connection.peer;
      if (preferred !== undefined) this.#preferred.set(endpoint, preferred);
      this.#opened(link);
      return undefined;
    } catch (cause) {
      if (!(cause instanceof LinkFailure)) throw cause;
      if (cause.at === "login") this.#pipelines = false;
      this.#endpoint++;
      this.#backoff.failed(cause);
      return signal.aborted ? this.#abortReason() : cause.error;
    }
  }

  #opened(link: Link): void {
    this.#link = link;
    link.setRef(this.#keepsAlive);
    this.#hasLoggedIn = true;
    this.#backoff.opened();
    void link.closed().then(
      () => this.#link === link && this.end(undefined),
      (error: SshError) => void this.#lost(link, error),
    );
    this.#become("open");
    link.opened();
  }

  /** The connection was lost: reconnects, unless the mode or the error forbids it. */
  async #lost(link: Link, error: SshError): Promise<void> {
    if (this.#link !== link) return;
    const { mode, maxRetries } = this.#options.reconnect;
    try {
      const isLast = this.#life === "closing" || mode === "never" || maxRetries < 1;
      if (isLast || this.#isFinal(error)) return this.end(error);
      this.#dropLink();
      this.#backoff.lost();
      if (this.#options.preferFirst) this.#endpoint = 0;
      this.#become("waiting", error);
      this.#context.linkLost(error);
      const failure = await this.#reconnect(error);
      if (failure !== undefined) return this.end(failure);
      this.#reconnects++;
    } catch (cause) {
      this.end(toSshError(cause, "connect", "the reconnection failed"));
    }
  }

  /** Attempts to connect until one succeeds (returns undefined) or the tunnel must end (returns the reason). */
  async #reconnect(lost: SshError): Promise<SshError | undefined> {
    const { maxRetries } = this.#options.reconnect;
    const { signal } = this.#abort;
    let reason = lost;
    for (let attempt = 1; attempt <= maxRetries; attempt++) {
      if (signal.aborted) break;
      // Before the event, because by then the connection is down.
      if (attempt > 1 || this.state !== "waiting") this.#become("waiting", reason);
      const intervalMs = this.#hurries ? 0 : this.#backoff.next(reason);
      this.#hurries = false;
      const event = new ReconnectAttemptEvent(attempt, maxRetries, intervalMs, reason);
      if (!this.#context.attemptDue(event)) return reason;
      await sleep(intervalMs, signal, (timer, end) => {
        this.#wait = timer;
        this.#endWait = end;
        setRef(timer, this.#keepsAlive);
      });
      this.#wait = undefined;
      this.#endWait = undefined;
      if (signal.aborted) break;
      const failure = await this.#attempt(attempt, reason);
      if (failure === undefined || this.#isFinal(failure)) return failure;
      reason = failure;
    }
    return signal.aborted ? this.#abortReason() : reason;
  }

  /** One attempt, with the changes that `beforeReconnect` makes. Returns the failure. */
  async #attempt(attempt: number, reason: SshError): Promise<SshError | undefined> {
    const { beforeReconnect, loginTimeoutMs } = this.#options;
    try {
      const changes =
        beforeReconnect &&
        (await withDeadline("beforeReconnect to settle", loginTimeoutMs, this.#abort.signal, (signal) =>
          beforeReconnect({ attempt, reason, signal }),
        ));
      if (this.#abort.signal.aborted) return this.#abortReason();
      if (changes) this.#options = changeOptions(this.#options, changes);
    } catch (cause) {
      return toSshError(cause, "connect", "beforeReconnect failed");
    }
    return await this.#connect();
  }

  /** Whether a failure ends the tunnel. Once the program has closed it, any failure does. */
  #isFinal(error: SshError): boolean {
    if (this.#abort.signal.aborted) return true;
    const { final } = this.#options.reconnect;
    try {
      return final === undefined ? isFinal(error, this.#hasLoggedIn) : final(error) === true;
    } catch (cause) {
      throw new SshError("misuse", "expected reconnect.final to return a boolean, got an error", { cause });
    }
  }

  #dropLink(): void {
    this.#pastWire = sumOfWires(this.#pastWire, this.#link?.connection.stats());
    this.#link = undefined;
  }

  #become(state: TunnelState, reason?: SshError): void {
    if (this.#life === "ended" || this.#life === "new") return;
    this.state = state;
    this.#context.stateChanged(state, reason);
  }

  #abortReason(): SshError {
    return toSshError(this.#abort.signal.reason, "aborted", "the login was aborted");
  }
}
