/** Makes a server treat visitors as connections that it accepted itself: timeouts, tracking and shutdown. @module */
import { AsyncLocalStorage } from "node:async_hooks";
import type { EventEmitter } from "node:events";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { ServerHttp2Session } from "node:http2";
import type { Duplex } from "node:stream";
import type { ChannelSocket } from "./channel-socket.ts";

/** An HTTP/1.1 connection of the server: our socket, or the TLS socket over it. */
interface HttpConnection {
  readonly socket: Duplex & { readonly bytesRead: number; destroySoon(): void };
  /** incomplete responses, oldest first */
  readonly responses: Set<ServerResponse>;
  /**
   * `bytesRead` when the last response was complete. Any further bytes belong to a request or an upgraded connection.
   */
  idleAt: number;
}

/** The number of attachments of each server. The last one stops the timer that it made Node.js start. */
const attachments = new WeakMap<EventEmitter, number>();

/** A server, and its connections from one attachment. */
export class AttachedServer {
  readonly #server: EventEmitter;
  readonly #connections = new Map<Duplex, HttpConnection>();
  readonly #sessions = new Set<ServerHttp2Session>();
  /** The visitor of a TLS connection, whose handshake ends later. `undefined` without TLS, because it costs time. */
  readonly #visitor: AsyncLocalStorage<ChannelSocket> | undefined;
  /** the visitor that `connect` is passing to the server */
  #connecting: ChannelSocket | undefined;
  readonly #speaksHttp1: boolean;
  #draining = false;
  readonly #listeners: (readonly [event: string, listener: () => void])[] = [];

  constructor(server: EventEmitter) {
    this.#server = server;
    const isTls = "addContext" in server;
    const isHttp = "closeIdleConnections" in server;
    const isHttp2 = "updateSettings" in server;
    this.#visitor = isTls ? new AsyncLocalStorage() : undefined;
    // Our listener for `request` would make an HTTP/2 server that has none answer requests twice.
    this.#speaksHttp1 = isHttp && (!isHttp2 || server.listenerCount("request") > 0);
    // `close` stops the timer that enforces the timeouts, while visitors stay connected.
    if (isHttp) this.#listen("close", () => void trackConnections(server));
    if (isTls) this.#listen("secureConnection", (socket: HttpConnection["socket"]) => this.#onSecureConnection(socket));
    if (isHttp2) this.#listen("session", (session: ServerHttp2Session) => this.#onSession(session));
    if (this.#speaksHttp1)
      this.#listen("request", (request: IncomingMessage, reply: ServerResponse) => this.#onRequest(request, reply));
    attachments.set(server, (attachments.get(server) ?? 0) + 1);
  }

  /**
   * Makes Node.js enforce the server's `headersTimeout` and `requestTimeout`. Must resolve before the first visitor.
   */
  async ready(): Promise<void> {
    if ("closeIdleConnections" in this.#server) await trackConnections(this.#server);
  }

  /** Passes a visitor to the server. @throws the error of a listener that throws */
  connect(socket: ChannelSocket): void {
    const emit = (): unknown => this.#server.emit("connection", socket);
    if (this.#visitor) this.#visitor.run(socket, emit);
    else {
      if (this.#speaksHttp1) this.#add(socket);
      this.#connecting = socket;
      try {
        emit();
      } finally {
        this.#connecting = undefined;
      }
    }
  }

  /** Reports a refused visitor. */
  drop(visitor: { readonly remoteAddress: string; readonly remotePort: number }): void {
    this.#server.emit("drop", visitor);
  }

  /** Ends each connection once it has no pending request. Called when no more visitors will arrive. */
  drain(): void {
    this.#draining = true;
    for (const session of this.#sessions) session.close();
    for (const connection of this.#connections.values()) {
      const last = [...connection.responses].at(-1);
      if (last) announceClose(last);
      else this.#endIfIdle(connection);
    }
  }

  /** Removes our listeners from the server. Called after the last visitor has left. */
  detach(): void {
    for (const [event, listener] of this.#listeners) this.#server.off(event, listener);
    const left = (attachments.get(this.#server) ?? 1) - 1;
    attachments.set(this.#server, left);
    if (left === 0 && !(this.#server as Partial<Server>).listening) stopTracking(this.#server);
  }

  #listen(event: string, listener: (...given: never[]) => void): void {
    this.#listeners.push([event, listener as () => void]);
    this.#server.prependListener(event, listener as () => void);
  }

  #add(socket: HttpConnection["socket"]): void {
    const connection: HttpConnection = { socket, responses: new Set(), idleAt: 0 };
    this.#connections.set(socket, connection);
    socket.once("close", () => this.#connections.delete(socket));
    if (this.#draining) this.#endIfIdle(connection);
  }

  #onSecureConnection(socket: HttpConnection["socket"]): void {
    const visitor = this.#visitor?.getStore();
    if (visitor === undefined) return;
    // TLSSocket reads these from its native handle, which a stream lacks.
    for (const name of ["remoteAddress", "remotePort", "remoteFamily"] as const) {
      Object.defineProperty(socket, name, { value: visitor[name], configurable: true });
    }
    if (this.#speaksHttp1) this.#add(socket);
  }

  #onSession(session: ServerHttp2Session): void {
    if (this.#connecting === undefined && this.#visitor?.getStore() === undefined) return;
    this.#sessions.add(session);
    session.once("close", () => this.#sessions.delete(session));
    if (this.#draining) session.close();
  }

  #onRequest(request: IncomingMessage, response: ServerResponse): void {
    const connection = this.#connections.get(request.socket);
    if (connection === undefined) return;
    connection.responses.add(response);
    if (this.#draining) announceClose(response);
    response.once("close", () => {
      connection.responses.delete(response);
      connection.idleAt = connection.socket.bytesRead;
      if (this.#draining) this.#endIfIdle(connection);
    });
  }

  #endIfIdle({ socket, responses, idleAt }: HttpConnection): void {
    if (responses.size === 0 && socket.bytesRead === idleAt) socket.destroySoon();
  }
}

/** Sets `connection: close` (RFC 9112 section 9.6), unless the head of the response is sent. */
function announceClose(response: ServerResponse): void {
  if (!response.headersSent) response.setHeader("connection", "close");
}

/**
 * Makes the server track its connections and check their timeouts, as if it listened. Node.js starts this in its own
 * listener for `listening`, which is found by comparison with a new server. Emitting the event would also call the
 * program's listeners.
 */
async function trackConnections(server: EventEmitter): Promise<void> {
  const { Server } = await import("node:http");
  const own = new Server().listeners("listening");
  for (const listener of server.listeners("listening")) if (own.includes(listener)) listener.call(server);
}

/**
 * Stops the timer that Node starts in `trackConnections`. It would keep a server in memory until the server is closed.
 * `listen` starts it again.
 */
function stopTracking(server: EventEmitter): void {
  for (const symbol of Object.getOwnPropertySymbols(server)) {
    const value = (server as unknown as Record<symbol, unknown>)[symbol];
    const isTimer = typeof value === "object" && value !== null && "unref" in value && "refresh" in value;
    if (isTimer) clearInterval(value as NodeJS.Timeout);
  }
}
