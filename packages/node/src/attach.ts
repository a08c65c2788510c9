/** Visitors of the host's port, given to a server of Node. @module */
import type { EventEmitter } from "node:events";
import type { Duplex } from "node:stream";
import { Acceptor, type VisitorChannel, type VisitorSource } from "@postern/http";
import { checkOptions, onAbort } from "@postern/ssh";
import { describeType, expectSignal, SshError } from "@postern/wire";
import { AttachedServer } from "./attached-server.ts";
import { ChannelSocket } from "./channel-socket.ts";

/** Anything that takes connections as `net.Server` does: a server of `node:http`, `node:http2`, `node:tls`, `node:net`. */
export interface ServerLike {
  emit(event: "connection", socket: Duplex): boolean;
  /** as `net.createServer` was told; default true */
  readonly allowHalfOpen?: boolean;
  /** as for `net.Server`: further visitors are disconnected, and the server emits `drop` */
  readonly maxConnections?: number;
}

/** What {@link attach} takes. */
export interface AttachOptions {
  /** takes no more visitors, and destroys the sockets that are open; to end in good order, cancel the forwarding */
  readonly signal?: AbortSignal | undefined;
}

/** Visitors on their way to a server. */
export interface Attachment {
  /** sockets that are open */
  readonly sockets: ReadonlySet<ChannelSocket>;
  /** Resolves when the forwarding has ended, or `signal` fired; sockets that are open live on. Rejects when the tunnel was given up. */
  readonly closed: Promise<void>;
}

/**
 * Hands the visitors of a forwarding to a server as sockets, so that Express, Fastify, WebSockets and HTTP/2 work without a local port.
 * The server need not listen. A function takes the sockets itself; they are half-open then, and have to be ended.
 *
 * An application of Express is a function too, but one for requests: `attach(forwarding, http.createServer(application))`.
 *
 * - Node enforces `headersTimeout` and `requestTimeout` every `connectionsCheckingInterval`, as on a server that listens, and
 *   `closeAllConnections` and `closeIdleConnections` close visitors too.
 * - When the forwarding ends, connections of HTTP/1.1 without a request and sessions of HTTP/2 without a stream are closed at once; the others
 *   when theirs are complete. Connections of other protocols, and WebSockets, live on.
 * - `socket.remoteAddress` is the visitor's, over TLS too, but not for HTTP/2 without TLS, where Node shows a socket of its own.
 * - `maxConnections` limits the visitors of all forwardings attached to the server; those of a port it listens on count separately.
 *   `getConnections` and the callback of `close` know nothing of visitors, because `net.Server` counts only sockets that it accepted itself:
 *   see `sockets` and `closed` of the {@link Attachment}.
 *
 * @throws SshError `misuse` for options that are unknown or of a wrong type, and when it is no server and no function
 * @example
 * const server = http.createServer((request, response) => response.end(`hello ${request.socket.remoteAddress}\n`));
 * const forwarding = await tunnel.listen({ port: 8080 });
 * attach(forwarding, server);
 */
export function attach(
  forwarding: VisitorSource,
  server: ServerLike | ((socket: ChannelSocket) => void),
  options: AttachOptions = {},
): Attachment {
  checkOptions("attach", options, ["signal"]);
  const { signal } = options;
  expectSignal(signal);
  if (typeof server !== "function" && typeof server?.emit !== "function") {
    const got = describeType(server);
    throw new SshError("misuse", `expected a server or a function that takes sockets, got ${got}`);
  }
  const acceptor = new Acceptor("attach", forwarding, signal);
  const attached = isEmitter(server) ? new AttachedServer(server) : undefined;
  const allowHalfOpen = typeof server === "function" ? true : server.allowHalfOpen;
  const sockets = new Set<ChannelSocket>();
  let over = false;
  const unlisten = onAbort(signal, () => {
    for (const socket of sockets) socket.destroy(new SshError("aborted", "the server was detached"));
  });
  const closed = run();
  // The tunnel reports the same error.
  closed.catch(() => {});
  return { sockets, closed };

  async function run(): Promise<void> {
    try {
      await attached?.ready();
      await acceptor.run(give);
    } finally {
      over = true;
      attached?.drain();
      forget();
    }
  }

  /** The signal, and our listeners, are needed as long as a socket is open. */
  function forget(): void {
    if (!over || sockets.size > 0) return;
    unlisten();
    attached?.detach();
  }

  function give(channel: VisitorChannel): void {
    const all = visitorsOf(server);
    if (typeof server !== "function" && server.maxConnections != null && all.size >= server.maxConnections) {
      const { host: remoteAddress, port: remotePort } = channel.origin;
      channel.close();
      attempt(() => attached?.drop({ remoteAddress, remotePort }));
      return;
    }
    const socket = new ChannelSocket(channel, channel.origin, allowHalfOpen);
    sockets.add(socket);
    all.add(socket);
    socket.once("close", () => {
      sockets.delete(socket);
      all.delete(socket);
      forget();
    });
    attempt(() => {
      if (attached) attached.connect(socket);
      else if (typeof server === "function") server(socket);
      else server.emit("connection", socket);
    }, socket);
  }
}

/** Calls the program. As with a listener of net.Server that throws, the program is told; its other visitors are none the worse. */
function attempt(call: () => void, socket?: ChannelSocket): void {
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

/** The open sockets that any attachment gave to a server. */
function visitorsOf(server: object): Set<ChannelSocket> {
  const known = visitors.get(server) ?? new Set();
  visitors.set(server, known);
  return known;
}

function isEmitter(server: object): server is EventEmitter {
  return typeof server !== "function" && typeof (server as Partial<EventEmitter>).prependListener === "function";
}
