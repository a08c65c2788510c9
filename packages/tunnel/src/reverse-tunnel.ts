/** The facade: dial out, log on, ask for ports, serve what arrives there. @module */
import { type BytePipe, type CallOptions, connect, type IncomingOpen, type SshConnection } from "@postern/ssh";
import { keyType, sha256Fingerprint } from "@postern/keys";
import { OpenFailureReason, SshError, toSshError } from "@postern/wire";
import { MessageEvent, StateEvent, type TunnelEvents, type TunnelState, VisitorErrorEvent } from "./events.ts";
import { ChannelQueue, type Forwarding } from "./forwarding.ts";
import {
  type ChannelOpenRequest,
  type CheckedOptions,
  checkForwardingOptions,
  checkTunnelOptions,
  type ForwardingOptions,
  type TunnelOptions,
} from "./options.ts";
import type { Platform, Target } from "./platform.ts";
import { pump } from "./pump.ts";
import { type ForwardedOpen, RemoteListener } from "./remote-listener.ts";

/** One life of the tunnel: from `logon` to its end. */
type Life =
  | { readonly at: "closed" }
  | { readonly at: "connecting" | "authenticating"; readonly abort: AbortController }
  | { readonly at: "open"; readonly connection: SshConnection; readonly listener: RemoteListener; readonly abort: AbortController };

interface ActiveForwarding {
  readonly forwarding: Forwarding;
  readonly queue: ChannelQueue;
  readonly options: ForwardingOptions;
  cancelling: Promise<void> | undefined;
}

/**
 * A reverse tunnel through an SSH host.
 *
 * Events: `state`, `banner`, `debug`, `visitorerror` (see {@link TunnelEvents}). None of them has to be handled.
 */
export class ReverseTunnel extends EventTarget {
  readonly #platform: Platform;
  readonly #options: CheckedOptions;
  readonly #forwardings = new Set<ActiveForwarding>();
  #life: Life = { at: "closed" };
  #closed = settleable();

  /** @throws SshError `misuse` for options that are unknown, missing or out of range */
  constructor(options: TunnelOptions, platform: Platform) {
    super();
    this.#platform = platform;
    this.#options = checkTunnelOptions(options, platform.algorithms);
  }

  /** Where the tunnel stands; `closed` before the logon and after the end. */
  get state(): TunnelState {
    return this.#life.at;
  }

  /** Resolves when the tunnel was logged off; rejects with an SshError when it was lost or never came to be. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  /** The forwardings that are open. */
  get forwardings(): readonly Forwarding[] {
    return [...this.#forwardings].map(({ forwarding }) => forwarding);
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
   * Dials the host, verifies its key, and logs on.
   *
   * @throws SshError `connect`, `version`, `negotiation`, `hostkey`, `auth`, `timeout`, `aborted`, …; `misuse` when it is under way or done
   * @example
   * await tunnel.logon({ signal: AbortSignal.timeout(10_000) });
   */
  async logon({ signal }: CallOptions = {}): Promise<void> {
    if (this.#life.at !== "closed") throw new SshError("misuse", `expected a closed tunnel to log on, got one that is ${this.state}`);
    const abort = new AbortController();
    const aborted = (): void => abort.abort(signal?.reason);
    if (signal?.aborted) aborted();
    signal?.addEventListener("abort", aborted, { once: true });
    this.#closed = settleable();
    this.#become({ at: "connecting", abort });
    try {
      const connection = await this.#connect(abort);
      void connection.closed.then(
        () => this.#end(undefined),
        (error: SshError) => this.#end(error),
      );
    } catch (cause) {
      const error = toSshError(cause, "connect", "the logon failed");
      this.#end(error);
      throw error;
    } finally {
      signal?.removeEventListener("abort", aborted);
    }
  }

  /**
   * Asks the host to listen on a port. With `target`, bytes flow between each visitor and the target; without it, iterate
   * the forwarding for the channels.
   *
   * @throws SshError `refused` with the reason the host gave; `misuse`, `closed`, `aborted`
   * @example
   * const web = await tunnel.requestForwarding({ port: 8080, target: { host: "127.0.0.1", port: 80 } });
   */
  async requestForwarding(options: ForwardingOptions, { signal }: CallOptions = {}): Promise<Forwarding> {
    const { address, port, target } = checkForwardingOptions(options);
    const { listener, abort } = this.#open();
    const queue = new ChannelQueue();
    let bound = port;
    const forwarding: Forwarding = {
      address,
      target,
      closed: queue.closed,
      get port() {
        return bound;
      },
      cancel: (call = {}) => this.#cancel(active, listener, call),
      [Symbol.asyncIterator]: () => queue[Symbol.asyncIterator](),
    };
    const active: ActiveForwarding = { forwarding, queue, options, cancelling: undefined };
    const onOpen = (open: IncomingOpen, specific: ForwardedOpen): void => {
      bound = specific.port;
      void this.#visitor(active, open, specific, abort.signal);
    };
    bound = await listener.listen(address, port, onOpen, { signal });
    if (this.#life.at !== "open" || this.#life.listener !== listener) queue.end(new SshError("closed", "the tunnel has ended"));
    else this.#forwardings.add(active);
    return forwarding;
  }

  /** Ends the tunnel; its connections end with it. Does nothing when it is closed; ends a logon that is under way. */
  async logoff(): Promise<void> {
    const life = this.#life;
    switch (life.at) {
      case "closed":
        return;
      case "open":
        await life.connection.close();
        return;
      case "connecting":
      case "authenticating":
        life.abort.abort(new SshError("aborted", "the tunnel was logged off"));
        await this.closed.catch(() => {});
        return;
      default:
        life satisfies never;
    }
  }

  /** `await using tunnel`: logs off at the end of the block. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.logoff();
  }

  async #connect(abort: AbortController): Promise<SshConnection> {
    const { host, port, user, auth, hostKey, algorithms, rekey, logonTimeoutMs } = this.#options;
    const { signal } = abort;
    const started = performance.now();
    const pipe = await this.#platform.dial({ host, port }, { signal, timeoutMs: logonTimeoutMs });
    let listener: RemoteListener | undefined;
    const connection = await connect(pipe, {
      user,
      auth,
      algorithms,
      rekey,
      signal,
      random: this.#platform.random,
      logonTimeoutMs: Math.max(1, logonTimeoutMs - (performance.now() - started)),
      hostKey: async ({ hostKey: key, algorithm }) => {
        const offer = { host, port, key, algorithm, keyType: keyType(key), fingerprint: sha256Fingerprint(key) };
        const trusted = (await hostKey(offer)) === true;
        if (!trusted) throw new SshError("hostkey", `the host key ${offer.fingerprint} (${offer.keyType}) was refused`);
        this.#become({ at: "authenticating", abort });
        return trusted;
      },
      onBanner: (message) => this.dispatchEvent(new MessageEvent("banner", message)),
      onDebug: (message) => {
        listener?.debug(message);
        this.dispatchEvent(new MessageEvent("debug", message));
      },
      onChannelOpen: (open) => {
        if (listener !== undefined) listener.incoming(open);
        else open.refuse(OpenFailureReason.ADMINISTRATIVELY_PROHIBITED, "no port was requested");
      },
    });
    listener = new RemoteListener(connection);
    this.#become({ at: "open", connection, listener, abort });
    return connection;
  }

  #open(): Life & { at: "open" } {
    if (this.#life.at === "open") return this.#life;
    throw new SshError("closed", `expected an open tunnel, got one that is ${this.state}: await logon() first`);
  }

  #cancel(active: ActiveForwarding, listener: RemoteListener, options: CallOptions): Promise<void> {
    if (!this.#forwardings.has(active)) return Promise.resolve();
    const { address, port } = active.forwarding;
    active.cancelling ??= listener
      .cancel(address, port, options)
      .then(() => {
        this.#forwardings.delete(active);
        active.queue.end(undefined);
      })
      .finally(() => {
        active.cancelling = undefined;
      });
    return active.cancelling;
  }

  /** One visitor: asks `onOpen`, dials the target before the open is confirmed, and joins the two. */
  async #visitor(active: ActiveForwarding, open: IncomingOpen, specific: ForwardedOpen, signal: AbortSignal): Promise<void> {
    const origin: Target = { host: specific.originAddress, port: specific.originPort };
    const { target, onOpen } = active.options;
    const { address, port } = active.forwarding;
    const refuse = (reason: number, description: string, error?: unknown): void => {
      open.refuse(reason, description);
      if (error !== undefined) this.dispatchEvent(new VisitorErrorEvent(active.forwarding, origin, error));
    };
    const request: ChannelOpenRequest = { channelId: open.id, origin, address, port };
    try {
      if (onOpen !== undefined && (await onOpen(request)) !== true) {
        return refuse(OpenFailureReason.ADMINISTRATIVELY_PROHIBITED, "refused");
      }
    } catch (error) {
      return refuse(OpenFailureReason.ADMINISTRATIVELY_PROHIBITED, "refused", error);
    }
    if (target === undefined && active.queue.full) {
      const error = new SshError("limit", "expected the program to take channels, got too many that wait");
      return refuse(OpenFailureReason.RESOURCE_SHORTAGE, "too many connections wait", error);
    }
    let pipe: BytePipe | undefined;
    try {
      if (target !== undefined) {
        pipe = await this.#platform.dial(target, { signal, timeoutMs: this.#options.targetTimeoutMs });
      }
    } catch (error) {
      return refuse(OpenFailureReason.CONNECT_FAILED, "the target could not be reached", error);
    }
    try {
      const channel = open.accept();
      if (pipe === undefined) active.queue.push(Object.assign(channel, { origin }));
      else pump(channel, pipe);
    } catch (error) {
      // The connection ended meanwhile; its own error tells the program.
      pipe?.abort(toSshError(error, "closed", "the connection ended"));
    }
  }

  #become(life: Life, reason?: SshError): void {
    this.#life = life;
    this.dispatchEvent(new StateEvent(life.at, reason));
  }

  #end(error: SshError | undefined): void {
    const life = this.#life;
    if (life.at === "closed") return;
    life.abort.abort(error);
    for (const { queue } of this.#forwardings) queue.end(error);
    this.#forwardings.clear();
    this.#become({ at: "closed" }, error);
    this.#closed.settle(error);
  }
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
