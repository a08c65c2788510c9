/** Visitors of the host's port, answered by a handler of the web standard. @module */
import type { BytePipe } from "@postern/ssh";
import type { Target } from "@postern/tunnel/platform";
import { SshError, toSshError } from "@postern/wire";
import { type ExchangeHost, exchange, refuse } from "./exchange.ts";
import { Fault } from "./fault.ts";
import { checkServeOptions, type ServeLimits, type ServeOptions } from "./options.ts";
import { Visitor } from "./visitor.ts";

/** Where visitors come from: a forwarding without a target, or anything else that gives byte pipes with an origin. */
export type VisitorSource = AsyncIterable<BytePipe & { readonly origin: Target }>;

/** What a handler is told beside the request. */
export interface VisitorInfo<Source> {
  /** where the visitor comes from, as the host tells; not verified by anybody else */
  readonly origin: Target;
  readonly forwarding: Source;
}

/** Answers a request. `request.signal` aborts when the visitor has left. */
export type HttpHandler<Source = VisitorSource> = (
  request: Request,
  info: VisitorInfo<Source>,
) => Response | Promise<Response>;

/** A handler failed: the visitor got 500, or a response that breaks off. */
export class HandlerErrorEvent extends Event {
  readonly error: unknown;
  readonly request: Request | undefined;
  readonly origin: Target;

  constructor(error: unknown, request: Request | undefined, origin: Target) {
    super("handlererror");
    this.error = error;
    this.request = request;
    this.origin = origin;
  }
}

/** The running service. Event: `handlererror`, a {@link HandlerErrorEvent}; it does not have to be handled. */
export class HttpService extends EventTarget {
  /** Resolves when the forwarding has ended or `signal` fired, and the last response is done; rejects when the tunnel was given up. */
  readonly closed: Promise<void>;
  readonly #limits: ServeLimits;
  readonly #visitors = new Set<Visitor>();
  /** those that wait for a request */
  readonly #idle = new Set<Visitor>();
  #state: "open" | "closing" | "cut" = "open";
  #requests = 0;

  /** @internal */
  constructor(source: VisitorSource, handler: HttpHandler<never>, options: ServeOptions) {
    super();
    if (typeof handler !== "function") throw new SshError("misuse", `expected a handler, got ${typeof handler}`);
    this.#limits = checkServeOptions(options);
    this.closed = this.#run(source, handler as HttpHandler, options.signal);
    // Nobody has to look at it: the tunnel tells the same.
    this.closed.catch(() => {});
  }

  /** Connections that are open. */
  get connections(): number {
    return this.#visitors.size;
  }

  /** Requests that were given to the handler so far. */
  get requests(): number {
    return this.#requests;
  }

  override addEventListener(
    type: "handlererror",
    listener: ((event: HandlerErrorEvent) => void) | null,
    options?: AddEventListenerOptions | boolean,
  ): void;
  override addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: AddEventListenerOptions | boolean,
  ): void;
  override addEventListener(
    type: string,
    listener: ((event: never) => void) | EventListenerOrEventListenerObject | null,
    options?: AddEventListenerOptions | boolean,
  ): void {
    super.addEventListener(type, listener as EventListenerOrEventListenerObject | null, options);
  }

  async #run(source: VisitorSource, handler: HttpHandler, signal: AbortSignal | undefined): Promise<void> {
    const channels = source[Symbol.asyncIterator]();
    const connections = new Set<Promise<void>>();
    let cut: () => void = () => {};
    const aborted = new Promise<undefined>((resolve) => {
      cut = () => {
        this.#state = "cut";
        const reason = new SshError("aborted", "the service was aborted", { cause: signal?.reason });
        for (const visitor of this.#visitors) visitor.abort(reason);
        resolve(undefined);
      };
    });
    signal?.addEventListener("abort", cut, { once: true });
    if (signal?.aborted) cut();
    try {
      while (this.#state === "open") {
        const coming = channels.next();
        const result = await Promise.race([coming, aborted]);
        if (result === undefined) {
          // One that is on its way here finds nobody. A generator returns only when it has come, so that is not waited for.
          coming.then(
            ({ value }) => value?.close(),
            () => {},
          );
          void channels.return?.().catch(() => {});
          break;
        }
        if (result.done) break;
        const connection = this.#connection(result.value, source, handler).finally(() =>
          connections.delete(connection),
        );
        connections.add(connection);
      }
    } finally {
      if (this.#state === "open") this.#state = "closing";
      for (const visitor of this.#idle) visitor.stop();
      await Promise.all(connections);
      signal?.removeEventListener("abort", cut);
    }
  }

  /** The requests of one connection, in order: one that is pipelined waits until the one before it was answered. Never rejects. */
  async #connection(
    channel: BytePipe & { readonly origin: Target },
    forwarding: VisitorSource,
    handler: HttpHandler,
  ): Promise<void> {
    const { origin } = channel;
    const host: ExchangeHost = {
      limits: this.#limits,
      keepAlive: () => this.#state === "open",
      answer: (request: Request) => {
        this.#requests++;
        return handler(request, { origin, forwarding });
      },
      failed: (error: unknown, request: Request | undefined) =>
        void this.dispatchEvent(new HandlerErrorEvent(error, request, origin)),
    };
    let visitor: Visitor | undefined;
    try {
      visitor = new Visitor(channel, this.#limits);
      this.#visitors.add(visitor);
      let waitMs = this.#limits.headerTimeoutMs;
      while (await this.#request(visitor, waitMs, host)) waitMs = this.#limits.keepAliveTimeoutMs;
      await visitor.finish(this.#limits.lingerMs);
    } catch (error) {
      visitor?.abort(toSshError(error, "closed", "the connection failed"));
    } finally {
      if (visitor) this.#visitors.delete(visitor);
    }
  }

  /** One request. Gives whether another may follow. */
  async #request(visitor: Visitor, waitMs: number, host: ExchangeHost): Promise<boolean> {
    if (this.#state !== "open") return false;
    this.#idle.add(visitor);
    const nothing = await visitor.some(waitMs);
    this.#idle.delete(visitor);
    if (nothing !== undefined) return false;
    const event = await visitor.next(this.#limits.headerTimeoutMs);
    if (event === "timeout") await refuse(visitor, new Fault(408, "expected a whole head in time"), this.#limits);
    if (typeof event === "string") return false;
    if (event.type === "head") return await exchange(visitor, event.head, host);
    if (event.type === "fault") await refuse(visitor, event.fault, this.#limits);
    return false;
  }
}

/**
 * Answers the visitors of a forwarding over HTTP/1.1 and HTTP/1.0 (RFC 9110, RFC 9112) with a handler of the web standard, in any runtime.
 * Bodies stream both ways: content is read from the visitor when the handler reads it, and a response no faster than the visitor takes it.
 *
 * - Connections are kept alive. Pipelined requests are served in order, one after the other, as RFC 9112 section 9.3.2 asks.
 * - A handler that throws is answered with 500 and nothing of the error; a body that breaks cuts the connection. Both are told by the
 *   event `handlererror`.
 * - `request.signal` aborts when the visitor is gone, and when it ends after its request, for one that left looks no different. The body of
 *   a response is cancelled when the visitor is gone.
 * - WebSockets are refused with 501, CONNECT and TRACE too; other upgrades are ignored (RFC 9110 section 7.8). Trailers are dropped.
 * - Whatever two servers could read in two ways is refused with 400 (RFC 9112 section 11.2).
 *
 * The service ends when the forwarding does: `forwarding.cancel()` lets responses finish and closes idle connections.
 *
 * @throws SshError `misuse` for options that are unknown or out of range
 * @example
 * const forwarding = await tunnel.requestForwarding({ port: 8080 });
 * serve(forwarding, (request, { origin }) => new Response(`hello ${origin.host}, you asked for ${request.url}\n`));
 */
export function serve<Source extends VisitorSource>(
  forwarding: Source,
  handler: HttpHandler<Source>,
  options: ServeOptions = {},
): HttpService {
  return new HttpService(forwarding, handler as HttpHandler<never>, options);
}
