/** Visitors of the host's port, answered by a handler of the web standard. @module */
import type { Address, BytePipe } from "@postern/ssh";
import { describeType, SshError, toSshError } from "@postern/wire";
import { type ExchangeContext, exchange, refuse } from "./exchange.ts";
import { Fault } from "./fault.ts";
import { checkServeOptions, type ServeLimits, type ServeOptions } from "./options.ts";
import { nextTurn, Visitor } from "./visitor.ts";

/** requests of one connection until the event loop gets a turn */
const requestsPerTurn = 16;

/** Where visitors come from: a forwarding without a target, or anything else that gives byte pipes with an origin. */
export type VisitorSource = AsyncIterable<BytePipe & { readonly origin: Address }>;

/** What a handler is told beside the request. */
export interface VisitorInfo<Source> {
  /** where the visitor comes from, as the host tells; not verified by anybody else */
  readonly origin: Address;
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
  readonly origin: Address;

  constructor(error: unknown, request: Request | undefined, origin: Address) {
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
  /** those that wait for a request, and whether it is not their first; the longest wait comes first */
  readonly #idle = new Map<Visitor, boolean>();
  /** those that came when `maxConnections` were open */
  readonly #rejected = new Set<Visitor>();
  #state: "open" | "closing" | "cut" = "open";
  #requests = 0;

  /** @internal */
  constructor(source: VisitorSource, handler: HttpHandler<never>, options: ServeOptions) {
    super();
    if (typeof source?.[Symbol.asyncIterator] !== "function") {
      throw new SshError("misuse", `expected a forwarding to iterate over, got ${describeType(source)}`);
    }
    if (typeof handler !== "function") throw new SshError("misuse", `expected a handler, got ${describeType(handler)}`);
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
        for (const visitor of [...this.#visitors, ...this.#rejected]) visitor.abort(reason);
        // At once, so that the next visitor goes to the next loop over the same forwarding.
        channels.return?.().catch(() => {});
        resolve(undefined);
      };
    });
    signal?.addEventListener("abort", cut, { once: true });
    if (signal?.aborted) cut();
    try {
      while (this.#state === "open") {
        const coming = channels.next();
        const result = await Promise.race([coming, aborted]);
        if (result === undefined || signal?.aborted) {
          // A generator cannot return before its next visitor has come, so we do not wait for it.
          coming.then(
            ({ value }) => value?.close(),
            () => {},
          );
          break;
        }
        if (result.done) break;
        const channel = result.value;
        if (!this.#makeRoom() && this.#rejected.size >= this.#limits.maxRejections) {
          channel.close();
          continue;
        }
        const connection = this.#connection(channel, source, handler).finally(() => connections.delete(connection));
        connections.add(connection);
      }
    } finally {
      if (this.#state === "open") this.#state = "closing";
      for (const visitor of this.#idle.keys()) visitor.stop();
      await Promise.all(connections);
      signal?.removeEventListener("abort", cut);
    }
  }

  /** Whether there is room for a further connection; closes an idle one for it. */
  #makeRoom(): boolean {
    if (this.#visitors.size < this.#limits.maxConnections) return true;
    // The one that has been silent longest: at first those that never sent anything, because they cost their place most cheaply.
    const [...idle] = this.#idle;
    for (const [visitor] of [...idle.filter(([, served]) => !served), ...idle.filter(([, served]) => served)]) {
      // A request that has arrived meanwhile is answered.
      if (!visitor.idle) continue;
      this.#idle.delete(visitor);
      this.#visitors.delete(visitor);
      visitor.close();
      return true;
    }
    return false;
  }

  /** The requests of one connection, in order: one that is pipelined waits until the one before it was answered. Never rejects. */
  async #connection(
    channel: BytePipe & { readonly origin: Address },
    forwarding: VisitorSource,
    handler: HttpHandler,
  ): Promise<void> {
    const { origin } = channel;
    const host: ExchangeContext = {
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
      if (this.#visitors.size < this.#limits.maxConnections) {
        this.#visitors.add(visitor);
        for (let served = 0; await this.#request(visitor, served > 0, host); ) {
          if (++served % requestsPerTurn === 0) await nextTurn();
        }
      } else {
        this.#rejected.add(visitor);
        await refuse(visitor, new Fault(503, "too many connections are open"), this.#limits);
      }
      await visitor.finish(this.#limits.lingerMs);
    } catch (error) {
      visitor?.abort(toSshError(error, "closed", "the connection failed"));
    } finally {
      if (visitor) {
        this.#visitors.delete(visitor);
        this.#rejected.delete(visitor);
      }
    }
  }

  /** One request. Returns whether another may follow. */
  async #request(visitor: Visitor, served: boolean, host: ExchangeContext): Promise<boolean> {
    if (this.#state !== "open") return false;
    const { headerTimeoutMs, keepAliveTimeoutMs, requestTimeoutMs } = this.#limits;
    this.#idle.set(visitor, served);
    const nothing = await visitor.some(served ? keepAliveTimeoutMs : headerTimeoutMs);
    this.#idle.delete(visitor);
    if (nothing !== undefined) return false;
    const start = performance.now();
    const event = await visitor.next(Math.min(headerTimeoutMs, requestTimeoutMs));
    if (event === "timeout") await refuse(visitor, new Fault(408, "expected a whole head in time"), this.#limits);
    if (typeof event === "string") return false;
    if (event.type === "head") {
      return await exchange(visitor, event.head, host, requestTimeoutMs - (performance.now() - start));
    }
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
 * - Time, size and number of requests and connections are limited, see {@link ServeOptions}. A handler has no time limit.
 * - A handler may return what `fetch` returned. If `fetch` decoded the body (gzip, deflate, br), its Content-Encoding and Content-Length are
 *   dropped. Drop them yourself from a new Response made of that body, and do not ask for `zstd`, which only some runtimes decode.
 *
 * The service ends when the forwarding does: `forwarding.cancel()` lets responses finish and closes idle connections.
 *
 * @throws SshError `misuse` for options that are unknown, of a wrong type or out of range
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
