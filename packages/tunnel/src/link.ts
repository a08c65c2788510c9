/** One connection to the server: dialled, verified, logged in, and able to request ports. @module */
import {
  type CallOptions,
  connect,
  type Deferred,
  deferred,
  type Preferred,
  type SshConnection,
  setRef,
} from "@postern/ssh";
import { quote, SshError, toSshError } from "@postern/wire";
import type { HostedSessionEvents } from "./hosted-session.ts";
import type { CheckedOptions, Endpoint } from "./options.ts";
import type { Platform } from "./platform.ts";
import { LinkFailure } from "./reconnect.ts";
import { type ListenCall, type OpenHandler, RemoteListener } from "./remote-listener.ts";
import { Route } from "./route.ts";
import { unlessAborted } from "./waiting.ts";

/** Callbacks while a link is made, and after. */
export interface LinkEvents extends HostedSessionEvents {
  /** The host key is trusted and login begins. Ports may be requested on the link from now on. */
  authenticating(link: Link): void;
  banner(message: string): void;
}

/** How a link is made. */
export interface Attempt {
  readonly signal: AbortSignal;
  /** whether port requests may be sent along with the login */
  readonly pipelines: boolean;
  /** what this server preferred on the last connection */
  readonly guess: Preferred | undefined;
}

type LinkListenCall = ListenCall & { readonly signal: AbortSignal };

/** A connection that has logged in or is about to, and its listening ports. */
export class Link {
  readonly connection: SshConnection;
  readonly #listener: RemoteListener;
  readonly #route: Route;
  readonly #pipelines: boolean;
  /** Settles with the login. */
  readonly #login: Deferred = deferred();
  readonly #openSession: (login: Promise<void>) => void;

  /**
   * @param pipelines whether requests may follow the login request at once if the server allows it (RFC 4252 5.1)
   * @param openSession called behind each request for a port
   */
  constructor(
    connection: SshConnection,
    listener: RemoteListener,
    route: Route,
    pipelines: boolean,
    openSession: (login: Promise<void>) => void,
  ) {
    this.connection = connection;
    this.#listener = listener;
    this.#route = route;
    this.#pipelines = pipelines;
    this.#openSession = openSession;
  }

  /**
   * Asks the server to listen on a port, during or after login. Resolves with the port once the server listens and the
   * tunnel is open.
   *
   * @throws SshError as {@link RemoteListener.listen} does; LinkFailure if login fails, so that the next link can
   * repeat the request
   */
  async listen(
    address: string,
    port: number | undefined,
    onOpen: OpenHandler,
    call: LinkListenCall,
  ): Promise<number | undefined> {
    const { signal } = call;
    if (!this.#pipelines) await unlessAborted(this.#login.promise, signal);
    try {
      const listening = this.#listener.listen(address, port, onOpen, call);
      if (!signal.aborted) this.#openSession(this.#login.promise);
      return await listening;
    } finally {
      // If login has failed, rejects with its error instead of the request's. After success, the server may reply
      // before the tunnel is open.
      if (!signal.aborted) await this.#login.promise;
    }
  }

  /** Asks the server to stop listening, see {@link RemoteListener.cancel}. */
  async cancel(address: string, port: number | undefined, onCancelled: () => void, call: CallOptions): Promise<void> {
    await this.#listener.cancel(address, port, onCancelled, call);
  }

  /** As `closed` of the connection. If a jump host was lost, rejects with its error. */
  async closed(): Promise<void> {
    try {
      await this.connection.closed;
    } catch (error) {
      throw this.#route.failure ?? error;
    }
  }

  /** Closes the connection, then those to the jump hosts, the last one first. Never rejects. */
  async close(call?: CallOptions): Promise<void> {
    for (const one of [this.connection, ...this.#route.hops.toReversed()]) await one.close(call).catch(() => {});
  }

  /** Decides whether the connections keep the process alive. */
  setRef(keepsAlive: boolean): void {
    for (const one of [this.connection, ...this.#route.hops]) setRef(one, keepsAlive);
  }

  /** Login has succeeded, and the tunnel is open. */
  opened(): void {
    this.#login.resolve();
  }

  /** Login has failed. Requests on this link reject with the failure. */
  failed(failure: LinkFailure): void {
    this.#login.reject(failure);
  }

  /**
   * Dials the server, verifies its host key, and logs in. The caller then calls `opened` or `failed`.
   *
   * @throws LinkFailure
   */
  static async open(
    platform: Platform,
    options: CheckedOptions,
    { host, port }: Endpoint,
    events: LinkEvents,
    { signal, pipelines, guess }: Attempt,
  ): Promise<Link> {
    const { user, auth, hostKey, hostKeyAlias, rekey, keepAlive, loginTimeoutMs } = options;
    const started = performance.now();
    const leftMs = (): number => Math.max(1, Math.round(loginTimeoutMs - (performance.now() - started)));
    const route = new Route({ platform, options, server: { host, port }, signal, leftMs, ...events });
    let link: Link | undefined;
    let listener: RemoteListener | undefined;
    try {
      const taps = [...options.via, { host, port }].map((one) => options.tap?.({ host: one.host, port: one.port }));
      const [dialled, prepared] = await Promise.allSettled([
        route.dial(),
        platform.prepare?.(options.algorithms) ?? options.algorithms,
      ]);
      if (dialled.status === "rejected") throw dialled.reason;
      if (prepared.status === "rejected") {
        dialled.value.abort();
        throw prepared.reason;
      }
      const algorithms = prepared.value;
      const pipe = await route.jump(dialled.value, algorithms, taps);
      route.at = "reached";
      await connect(pipe, {
        user,
        auth,
        algorithms,
        rekey,
        keepAlive,
        signal,
        tap: taps.at(-1),
        guess,
        random: platform.random,
        loginTimeoutMs: leftMs(),
        hostKey: route.hostKey(hostKey, { host, port, hostKeyAlias }),
        onLogin: (connection) => {
          route.at = "login";
          listener = new RemoteListener(connection, options.hosted?.omitsPort);
          link = new Link(connection, listener, route, pipelines, (login) =>
            options.hosted?.open(connection, events, login),
          );
          if (!signal.aborted) events.authenticating(link);
        },
        onNotice: (message) => events.debug(message),
        onBanner: (message) => events.banner(message),
        onDebug: (message) => {
          listener?.debug(message);
          events.debug(message);
        },
        // A server opens no channel before login, and by then there is a link.
        onChannelOpen: (open) => listener?.incoming(open),
      });
      return link as unknown as Link;
    } catch (cause) {
      const error = route.failure ?? explain(toSshError(cause, "connect", "the login failed"), host);
      const failure = new LinkFailure(error, route.at);
      link?.failed(failure);
      throw failure;
    }
  }
}

/** A failed negotiation is retried, so its message says that retrying may not help. */
function explain(error: SshError, host: string): SshError {
  if (error.code !== "negotiation") return error;
  return new SshError("negotiation", `the algorithms do not match those of ${quote(host)}: ${error.message}`, {
    cause: error,
  });
}
