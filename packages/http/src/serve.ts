/** Answers the visitors of a forwarding with a web-standard handler. @module */
import { type Address, onAbort, TypedEventTarget } from "@postern/ssh";
import { describeType, SshError, toSshError } from "@postern/wire";
import { Acceptor, type VisitorChannel, type VisitorSource } from "./acceptor.ts";
import { Exchange, type ExchangeContext, refuse } from "./exchange.ts";
import { HttpConnection, nextTurn } from "./http-connection.ts";
import { HttpError } from "./http-error.ts";
import { checkServeOptions, type ServeLimits, type ServeOptions } from "./options.ts";
import type { TakeChannel } from "./upgrade.ts";

/** Requests of one connection before it yields to the event loop. */
const requestsPerTurn = 16;

/** The second argument of a handler. */
export interface VisitorInfo<Source> {
  /** The visitor's address as the SSH server reports it. */
  readonly origin: Address;
  readonly forwarding: Source;
}

/** Answers a request. `request.signal` aborts when the visitor disconnects. */
export type HttpHandler<Source = VisitorSource> = (
  request: Request,
  info: VisitorInfo<Source>,
) => Response | Promise<Response>;

/** A handler failed. The visitor received status 500, or an incomplete response. */
export class HandlerErrorEvent extends Event {
  readonly error: unknown;
  readonly request: Request | undefined;
  readonly origin: Address;

  constructor(error: unknown, request: Request | undefined, origin: Address) {
    super("handlererror");
    this.error = error;
    this.request = request;
    this.origin = origin;
  }
}

/** Event types of {@link HttpService} by name. */
export interface HttpServiceEvents {
  readonly handlererror: HandlerErrorEvent;
}

interface ServeContext extends ExchangeContext {
  readonly origin: Address;
}

/**
 * The service that {@link serve} returns. Event: `handlererror` ({@link HandlerErrorEvent}). No listener is required.
 */
export class HttpService extends TypedEventTarget<HttpServiceEvents> {
  /**
   * Resolves when the forwarding has ended or `signal` has fired, and the last response is complete. Rejects if the
   * tunnel gave up; the rejection need not be handled.
   */
  readonly closed: Promise<void>;
  readonly #limits: ServeLimits;
  readonly #connections = new Set<HttpConnection>();
  /** Connections that wait for a request, the longest wait first, and whether they have had one before. */
  readonly #idle = new Map<HttpConnection, boolean>();
  /** Connections beyond `maxConnections`. */
  readonly #rejected = new Set<HttpConnection>();
  /** Connections that no longer speak HTTP. */
  readonly #upgraded = new Set<HttpConnection>();
  /** Ends the watch of the signal, once no connection is left. */
  #stopListening = (): void => {};
  #state: "open" | "closing" | "aborted" = "open";
  #requests = 0;

  /** @internal */
  constructor(source: VisitorSource, handler: HttpHandler<never>, options: ServeOptions) {
    super();
    if (typeof handler !== "function") throw new SshError("misuse", `expected a handler, got ${describeType(handler)}`);
    this.#limits = checkServeOptions(options);
    this.closed = this.#run(new Acceptor("serve", source, options.signal), handler as HttpHandler);
    this.closed.catch(() => {});
  }

  /** Number of open connections. */
  get connections(): number {
    return this.#connections.size + this.#upgraded.size;
  }

  /** Number of requests passed to the handler so far. */
  get requests(): number {
    return this.#requests;
  }

  async #run(acceptor: Acceptor, handler: HttpHandler): Promise<void> {
    const { source, signal } = acceptor;
    const running = new Set<Promise<void>>();
    const removeListener = onAbort(signal, () => {
      this.#state = "aborted";
      const reason = new SshError("aborted", "the service was aborted", { cause: signal?.reason });
      for (const connection of [...this.#connections, ...this.#upgraded, ...this.#rejected]) connection.abort(reason);
    });
    try {
      await acceptor.run((channel) => {
        if (!this.#makeRoom() && this.#rejected.size >= this.#limits.maxRejections) {
          channel.close();
          return;
        }
        const connection = this.#serve(channel, source, handler).finally(() => running.delete(connection));
        running.add(connection);
      });
    } finally {
      if (this.#state === "open") this.#state = "closing";
      for (const connection of this.#idle.keys()) connection.stop();
      await Promise.all(running);
      this.#stopListening = removeListener;
      if (this.#upgraded.size === 0) removeListener();
    }
  }

  /** Returns whether there is room for another connection. If necessary, closes the one that has been idle longest. */
  #makeRoom(): boolean {
    if (this.connections < this.#limits.maxConnections) return true;
    // Those that never sent anything first, because they occupy their place most cheaply.
    const [...idle] = this.#idle;
    for (const [connection] of [...idle.filter(([, served]) => !served), ...idle.filter(([, served]) => served)]) {
      // Its next request has arrived and will be answered.
      if (!connection.idle) continue;
      this.#idle.delete(connection);
      this.#connections.delete(connection);
      connection.close();
      return true;
    }
    return false;
  }

  /** Serves the requests of one connection in order. Never rejects. */
  async #serve(channel: VisitorChannel, forwarding: VisitorSource, handler: HttpHandler): Promise<void> {
    const { origin } = channel;
    const context: ServeContext = {
      origin,
      limits: this.#limits,
      keepAlive: () => this.#state === "open",
      answer: (request: Request) => {
        this.#requests++;
        return handler(request, { origin, forwarding });
      },
      failed: (error: unknown, request: Request | undefined) =>
        void this.dispatchEvent(new HandlerErrorEvent(error, request, origin)),
    };
    let connection: HttpConnection | undefined;
    try {
      connection = new HttpConnection(channel, this.#limits);
      if (this.connections < this.#limits.maxConnections) {
        this.#connections.add(connection);
        for (
          let served = 0;
          !this.#upgraded.has(connection) && (await this.#request(connection, served > 0, context));
        ) {
          if (++served % requestsPerTurn === 0) await nextTurn();
        }
      } else {
        this.#rejected.add(connection);
        await refuse(connection, new HttpError(503, "too many connections are open"), this.#limits);
      }
      if (!this.#upgraded.has(connection)) await connection.finish(this.#limits.lingerMs);
    } catch (error) {
      connection?.abort(toSshError(error, "closed", "the connection failed"));
    } finally {
      if (connection) {
        this.#connections.delete(connection);
        this.#rejected.delete(connection);
      }
    }
  }

  /** Serves one request. Resolves with whether another may follow. */
  async #request(connection: HttpConnection, served: boolean, context: ServeContext): Promise<boolean> {
    if (this.#state !== "open") return false;
    const { headerTimeoutMs, keepAliveTimeoutMs, requestTimeoutMs } = this.#limits;
    this.#idle.set(connection, served);
    const noRequest = await connection.waitForRequest(served ? keepAliveTimeoutMs : headerTimeoutMs);
    this.#idle.delete(connection);
    if (noRequest !== undefined) return false;
    const start = performance.now();
    const event = await connection.next(Math.min(headerTimeoutMs, requestTimeoutMs));
    if (event === "timeout") {
      await refuse(connection, new HttpError(408, "expected the whole head in time"), this.#limits);
    }
    if (typeof event === "string") return false;
    if (event.type === "head") {
      const leftMs = requestTimeoutMs - (performance.now() - start);
      const exchange = new Exchange(connection, event.head, context, leftMs);
      const keepsAlive = await exchange.run();
      if (exchange.taker !== undefined) this.#handOver(connection, exchange, exchange.taker, context.origin);
      return keepsAlive;
    }
    if (event.type === "error") await refuse(connection, event.error, this.#limits);
    return false;
  }

  /** Hands the connection to the program. */
  #handOver(connection: HttpConnection, exchange: Exchange, take: TakeChannel, origin: Address): void {
    this.#upgraded.add(connection);
    connection.watch(undefined, (error) => {
      this.#upgraded.delete(connection);
      if (this.#upgraded.size === 0) this.#stopListening();
      exchange.upgradeEnded(error);
    });
    const channel = Object.assign(connection.detach(), { origin });
    Promise.resolve()
      .then(() => take(channel))
      .catch((error: unknown) => {
        exchange.upgradeFailed(error);
        connection.abort(toSshError(error, "closed", "the upgrade failed"));
      });
  }
}

/**
 * Answers the visitors of a forwarding over HTTP/1.1 and HTTP/1.0 (RFC 9110, RFC 9112) with a web-standard handler, in
 * any runtime. Bodies stream both ways with backpressure: content is read from the visitor when the handler reads it,
 * and the response is read from the handler as the visitor takes it.
 *
 * - Connections are kept alive. Pipelined requests are served one after the other, in order (RFC 9112 section 9.3.2).
 * - If the handler throws, the visitor receives status 500 without details. If a response body fails, the connection is
 *   reset. Both fire `handlererror`.
 * - `request.signal` aborts when the visitor disconnects. A half-close after the request aborts it too, because the two
 *   look alike. The response body is cancelled when the visitor disconnects.
 * - A request to speak WebSocket is a request like others; the handler may answer it with {@link upgrade}. Other
 *   upgrades are ignored (RFC 9110 section 7.8). CONNECT and TRACE are refused with 501. Trailers are dropped.
 * - Ambiguous requests, which two servers could read differently, are refused with 400 (RFC 9112 section 11.2).
 * - {@link ServeOptions} limit time, size and number of requests and connections. The handler has no time limit.
 * - A handler may return a Response from `fetch`. If `fetch` decoded the body (gzip, deflate, br), Content-Encoding and
 *   Content-Length are dropped. If you create a new Response from such a body, drop them yourself. Do not request
 *   `zstd`, which only some runtimes decode.
 *
 * The service ends when the forwarding ends: `forwarding.close()` lets responses finish and closes idle connections.
 *
 * @throws SshError `misuse` if the forwarding has a target or is in use, or an option is unknown or out of range
 * @example
 * const forwarding = await tunnel.listen({ port: 8080 });
 * serve(forwarding, (request, { origin }) => new Response(`hello ${origin.host}, you asked for ${request.url}\n`));
 */
export function serve<Source extends VisitorSource>(
  forwarding: Source,
  handler: HttpHandler<Source>,
  options: ServeOptions = {},
): HttpService {
  return new HttpService(forwarding, handler as HttpHandler<never>, options);
}
