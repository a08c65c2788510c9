/** Serves the visitors of a forwarding with a server of Node.js. @module */
import type { EventEmitter } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { Acceptor, type VisitorChannel, type VisitorSource } from "@postern/http";
import { checkOptions, onAbort } from "@postern/ssh";
import { describeType, expectSignal, SshError } from "@postern/wire";
import { AttachedServer } from "./attached-server.ts";
import { ChannelSocket } from "./channel-socket.ts";

/**
 * Anything that accepts connections as `net.Server` does: a server of `node:http`, `node:https`, `node:http2`,
 * `node:tls`, `node:net`.
 */
export interface ServerLike {
  emit(event: "connection", socket: Duplex): boolean;
  /** as set by `net.createServer`; default `true` */
  readonly allowHalfOpen?: boolean;
  /** as for `net.Server`: further visitors are disconnected, and the server emits `drop` */
  readonly maxConnections?: number;
}

/** A listener of the event `request` of `http.Server`, such as an Express application. */
export type RequestHandler = (request: IncomingMessage, response: ServerResponse) => unknown;

/** Options of {@link attach}. */
export interface AttachOptions {
  /** Accepts no more visitors and destroys the open sockets. To let them finish, close the forwarding instead. */
  readonly signal?: AbortSignal | undefined;
}

/** The result of {@link attach}. */
export interface Attachment {
  /** the open sockets */
  readonly sockets: ReadonlySet<ChannelSocket>;
  /**
   * Resolves when the forwarding has ended or `signal` has fired; open sockets continue. Rejects when the tunnel gave
   * up.
   */
  readonly closed: Promise<void>;
}

/**
 * Passes the visitors of a forwarding to a server as sockets, so that Express, Fastify, WebSockets and HTTP/2 work
 * without a local port. The server need not listen. A request handler, such as an Express application, gets an HTTP
 * server with the defaults of `http.createServer`. To handle sockets yourself, pass a server of `net.createServer`.
 *
 * - Node.js enforces `headersTimeout` and `requestTimeout` every `connectionsCheckingInterval`, as on a server that
 *   listens. `closeAllConnections` and `closeIdleConnections` also close visitors.
 * - When the forwarding ends, HTTP/1.1 connections without a request and HTTP/2 sessions without a stream are closed at
 *   once, the others when their requests are complete. Connections of other protocols, and WebSockets, continue.
 * - `socket.remoteAddress` is the visitor's address, also over TLS, but not for HTTP/2 without TLS, where Node.js shows
 *   its own socket.
 * - `maxConnections` limits the visitors of all forwardings attached to the server; connections to a port that it
 *   listens on count separately. `getConnections` and the callback of `close` do not include visitors, because
 *   `net.Server` counts only sockets that it accepted itself: use `sockets` and `closed` of the {@link Attachment}.
 *
 * @throws SshError `misuse` for options that are unknown or of a wrong type, or if `server` is neither a server nor a
 *   function
 * @example
 * const listener = await tunnel.listen({ port: 8080 });
 * attach(listener, (request, response) => response.end(`hello ${request.socket.remoteAddress}\n`));
 */
export function attach(
  forwarding: VisitorSource,
  serverOrHandler: ServerLike | RequestHandler,
  options: AttachOptions = {},
): Attachment {
  checkOptions("attach", options, ["signal"]);
  const { signal } = options;
  expectSignal(signal);
  if (typeof serverOrHandler !== "function" && typeof serverOrHandler?.emit !== "function") {
    const got = describeType(serverOrHandler);
    throw new SshError("misuse", `expected a server, or a function that handles requests, got ${got}`);
  }
  const acceptor = new Acceptor("attach", forwarding, signal);
  const server = typeof serverOrHandler === "function" ? createHttpServer(serverOrHandler) : serverOrHandler;
  const attached = isEmitter(server) ? new AttachedServer(server) : undefined;
  const sockets = new Set<ChannelSocket>();
  let hasEnded = false;
  const stopListening = onAbort(signal, () => {
    for (const socket of sockets) socket.destroy(new SshError("aborted", "the server was detached"));
  });
  const closed = run();
  // The tunnel rejects its own `closed` with the same error.
  closed.catch(() => {});
  return { sockets, closed };

  async function run(): Promise<void> {
    try {
      await attached?.ready();
      await acceptor.run(accept);
    } finally {
      hasEnded = true;
      attached?.drain();
      detachIfDone();
    }
  }

  /** Removes our listeners once no socket is open. */
  function detachIfDone(): void {
    if (!hasEnded || sockets.size > 0) return;
    stopListening();
    attached?.detach();
  }

  function accept(channel: VisitorChannel): void {
    const all = visitorsOf(server);
    if (server.maxConnections != null && all.size >= server.maxConnections) {
      const { host: remoteAddress, port: remotePort } = channel.origin;
      channel.close();
      callProgram(() => attached?.drop({ remoteAddress, remotePort }));
      return;
    }
    const socket = new ChannelSocket(channel, channel.origin, server.allowHalfOpen);
    sockets.add(socket);
    all.add(socket);
    socket.once("close", () => {
      sockets.delete(socket);
      all.delete(socket);
      detachIfDone();
    });
    callProgram(() => {
      if (attached) attached.connect(socket);
      else server.emit("connection", socket);
    }, socket);
  }
}

/**
 * Calls the program. As with a listener of `net.Server` that throws, the error is uncaught; other visitors are not
 * affected.
 */
function callProgram(call: () => void, socket?: ChannelSocket): void {
  try {
    call();
  } catch (error) {
    socket?.destroy(error instanceof Error ? error : new SshError("closed", "the server failed", { cause: error }));
    queueMicrotask(() => {
      throw error;
    });
  }
}

const visitors = new WeakMap<object, Set<ChannelSocket>>();

/** The open sockets of a server, from all its attachments. */
function visitorsOf(server: object): Set<ChannelSocket> {
  const known = visitors.get(server) ?? new Set();
  visitors.set(server, known);
  return known;
}

/** Loads `node:http` only for programs that need it. */
function createHttpServer(handler: RequestHandler): ServerLike {
  return process.getBuiltinModule("node:http").createServer(handler);
}

function isEmitter(server: object): server is EventEmitter {
  return typeof (server as Partial<EventEmitter>).prependListener === "function";
}
