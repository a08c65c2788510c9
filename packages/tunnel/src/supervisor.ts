/** Supervises the links of one tunnel: the first login, the attempts after a loss, the waits between them, and the end. @module */
import { type CallOptions, deferred, onAbort } from "@postern/ssh";
import { SshError, toSshError } from "@postern/wire";
import { changeOptions } from "./check-options.ts";
import { ReconnectAttemptEvent, type TunnelState } from "./events.ts";
import { type Link, LinkFailure, openLink } from "./link.ts";
import type { CheckedOptions, Endpoint } from "./options.ts";
import type { Platform } from "./platform.ts";
import { Backoff, isFinal } from "./reconnect.ts";
import { nothingOnTheWire, sumOfWires, type WireStats } from "./stats.ts";
import { type Later, later, sleep, unlessAborted, withDeadline } from "./waiting.ts";

/** What a {@link Supervisor} calls. */
export interface SupervisorContext {
  /** The state changed. `closed` comes last, after `ended`. */
  stateChanged(state: TunnelState, reason: SshError | undefined): void;
  /** An attempt is due. Returns false to give the tunnel up instead. */
  attemptDue(event: ReconnectAttemptEvent): boolean;
  /** Ports may be requested on this link. */
  linkReady(link: Link): void;
  /** The connection was lost and will be made again. */
  linkLost(error: SshError): void;
  /** The tunnel is over: with an error, or because the program ended it. */
  ended(error: SshError | undefined): void;
  banner(message: string): void;
  debug(message: string): void;
}

/** Keeps a tunnel connected: one link after the other. */
export class Supervisor {
  readonly #platform: Platform;
  readonly #context: SupervisorContext;
  #options: CheckedOptions;
  readonly #backoff: Backoff;
  /** ends whatever is under way: a dial, a login, a wait */
  readonly #abort = new AbortController();
  readonly #closed = deferred();
  #state: TunnelState = "closed";
  #life: "new" | "running" | "ended" = "new";
  #link: Link | undefined;
  /** the next link, from the moment that ports may be requested on it */
  #coming: Later<Link> = later();
  /** whether it was open once: then an end that the program asked for is no failure */
  #established = false;
  /** index of the host that is dialled next */
  #endpoint = 0;
  #reconnects = 0;
  /** A login failed that requests may have been sent with. From then on they wait for its end, in case the server hung up because of them. */
  #patient = false;
  /** traffic of connections that have ended */
  #pastWire: WireStats = nothingOnTheWire;

  constructor(platform: Platform, options: CheckedOptions, context: SupervisorContext) {
    this.#platform = platform;
    this.#options = options;
    this.#context = context;
    this.#backoff = new Backoff(options.reconnect, () => (platform.random(1)[0] ?? 0) / 255, options.endpoints.length);
  }

  get state(): TunnelState {
    return this.#state;
  }

  /** The link that is open. */
  get link(): Link | undefined {
    return this.#link;
  }

  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  /** Whether no link will come any more. */
  get isOver(): boolean {
    return this.#life === "ended";
  }

  /** Fires when the tunnel ends. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** The first login. @throws SshError */
  async start({ signal }: CallOptions): Promise<void> {
    if (this.#life !== "new") {
      const got = this.#life === "ended" ? "one that has ended: make a new one" : `one that is ${this.#state}`;
      throw new SshError("misuse", `expected a tunnel that was never logged in, got ${got}`);
    }
    this.#life = "running";
    const aborted = (): void => {
      if (this.#established) return;
      this.#abort.abort(new SshError("aborted", "the login was aborted", { cause: signal?.reason }));
    };
    const stopListening = onAbort(signal, aborted);
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

  /** Ends the tunnel as the program wishes. */
  async stop({ signal }: CallOptions): Promise<void> {
    if (this.#life === "new") return this.end(undefined);
    if (this.#life === "ended") return;
    const link = this.#link;
    // A first login that is under way fails with this error; a tunnel that was open is merely told to stop.
    if (this.#established) this.end(undefined);
    else this.#abort.abort(new SshError("aborted", "the tunnel was closed"));
    await (link?.connection.close({ signal }) ?? this.closed.catch(() => {}));
  }

  /** Ends the tunnel, and the connection that may be open. */
  end(error: SshError | undefined): void {
    if (this.#life === "ended") return;
    this.#life = "ended";
    const link = this.#link;
    this.#dropLink();
    this.#state = "closed";
    // Before any event: a listener may start whatever comes after this tunnel.
    if (error === undefined) this.#closed.resolve();
    else this.#closed.reject(error);
    this.#abort.abort(error ?? new SshError("closed", "the tunnel was closed"));
    this.#context.ended(error);
    this.#context.stateChanged("closed", error);
    void link?.connection.close();
  }

  /** The open link, or the next one. @throws the reason of the signal when that fires first */
  async nextLink(given: AbortSignal): Promise<Link> {
    const link = this.#link ?? (await unlessAborted(this.#coming.promise, given));
    if (link === undefined) throw toSshError(given.reason, "aborted", "the call was aborted");
    return link;
  }

  stats(): WireStats & { readonly roundTripMs: number | undefined; readonly reconnects: number } {
    const wire = this.#link?.connection.stats();
    return { ...sumOfWires(this.#pastWire, wire), roundTripMs: wire?.roundTripMs, reconnects: this.#reconnects };
  }

  /** The first attempt: each host once, in order. @throws a failure that is final */
  async #connectToAny(): Promise<SshError | undefined> {
    let failure: SshError | undefined;
    for (let left = this.#options.endpoints.length; left > 0; left--) {
      failure = await this.#connect(failure);
      if (failure === undefined) return undefined;
      if (this.#isFinal(failure)) throw failure;
    }
    return failure;
  }

  /** One attempt. Returns the failure, or undefined when the tunnel is open. */
  async #connect(reason?: SshError): Promise<SshError | undefined> {
    this.#become("connecting", reason);
    const { signal } = this.#abort;
    if (signal.aborted) return this.#abortReason();
    const { endpoints } = this.#options;
    // There is one: the options were checked.
    const endpoint = endpoints[this.#endpoint % endpoints.length] as Endpoint;
    const up = later<boolean>();
    let met = false;
    try {
      const events = {
        authenticating: (link: Link) => {
          met = !this.#patient;
          this.#become("authenticating");
          if (met) this.#meet(link);
        },
        banner: (message: string) => this.#context.banner(message),
        debug: (message: string) => this.#context.debug(message),
      };
      const link = await openLink(this.#platform, this.#options, endpoint, events, { signal, up: up.promise });
      if (signal.aborted) {
        up.resolve(false);
        await link.connection.close();
        return this.#abortReason();
      }
      this.#opened(link);
      up.resolve(true);
      if (!met) this.#meet(link);
      return undefined;
    } catch (cause) {
      if (!(cause instanceof LinkFailure)) throw cause;
      up.resolve(false);
      if (met) {
        // Requests that were made on this link are repeated on the next one.
        this.#coming = later();
        this.#patient = true;
      }
      this.#endpoint++;
      this.#backoff.failed(cause.unseen);
      return signal.aborted ? this.#abortReason() : cause.error;
    }
  }

  /** Requests for ports go to that link. */
  #meet(link: Link): void {
    this.#coming.resolve(link);
    this.#context.linkReady(link);
  }

  #opened(link: Link): void {
    this.#link = link;
    this.#established = true;
    this.#backoff.opened();
    void link.connection.closed.then(
      () => this.#link === link && this.end(undefined),
      (error: SshError) => void this.#lost(link, error),
    );
    this.#become("open");
  }

  /** The connection broke: makes it again, unless the mode or the error forbids it. */
  async #lost(link: Link, error: SshError): Promise<void> {
    if (this.#link !== link) return;
    const { mode, maxRetries } = this.#options.reconnect;
    try {
      if (mode === "never" || maxRetries < 1 || this.#isFinal(error)) return this.end(error);
      this.#dropLink();
      this.#coming = later();
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

  /** Attempts in a row, until one succeeds (undefined) or it is time to give up (the reason). */
  async #reconnect(lost: SshError): Promise<SshError | undefined> {
    const { reconnect } = this.#options;
    const { signal } = this.#abort;
    let reason = lost;
    for (let attempt = 1; attempt <= reconnect.maxRetries; attempt++) {
      if (signal.aborted) break;
      // Before the event, because by then the connection is down.
      if (attempt > 1 || this.#state !== "waiting") this.#become("waiting", reason);
      const intervalMs = this.#backoff.next(reason);
      const event = new ReconnectAttemptEvent(attempt, reconnect.maxRetries, intervalMs, reason);
      if (!this.#context.attemptDue(event)) return reason;
      await sleep(intervalMs, signal);
      if (signal.aborted) break;
      const failure = await this.#attempt(attempt, reason);
      if (failure === undefined || this.#isFinal(failure)) return failure;
      reason = failure;
    }
    return signal.aborted ? this.#abortReason() : reason;
  }

  /** One attempt, with whatever `beforeReconnect` changes. Returns the failure. */
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

  /** Whether a failure ends the tunnel. Once the program has ended it, any does. */
  #isFinal(error: SshError): boolean {
    if (this.#abort.signal.aborted) return true;
    const { final } = this.#options.reconnect;
    try {
      return final === undefined ? isFinal(error, this.#established) : final(error) === true;
    } catch (cause) {
      throw new SshError("misuse", "expected reconnect.final to return a boolean, got an error", { cause });
    }
  }

  #dropLink(): void {
    this.#pastWire = sumOfWires(this.#pastWire, this.#link?.connection.stats());
    this.#link = undefined;
  }

  #become(state: TunnelState, reason?: SshError): void {
    if (this.#life !== "running") return;
    this.#state = state;
    this.#context.stateChanged(state, reason);
  }

  #abortReason(): SshError {
    return toSshError(this.#abort.signal.reason, "aborted", "the login was aborted");
  }
}
