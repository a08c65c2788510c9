/** Gives visitors that a server did not accept itself what `listen` and a `net.Socket` would have given them. @module */
import { AsyncLocalStorage } from "node:async_hooks";
import type { EventEmitter } from "node:events";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { ServerHttp2Session } from "node:http2";
import type { Duplex } from "node:stream";
import type { ChannelSocket } from "./channel-socket.ts";

/** A connection of HTTP/1.1 as the server sees it: our socket, or what TLS made of it. */
interface HttpConnection {
  readonly socket: Duplex & { readonly bytesRead: number; destroySoon(): void };
  /** those that are not complete, the oldest first */
  readonly responses: Set<ServerResponse>;
  /** `bytesRead` when the last response was complete: more belongs to a request, or the connection was upgraded */
  doneAt: number;
}

/** How many attachments a server has: the last one stops what it made Node do. */
const attachments = new WeakMap<EventEmitter, number>();

/** A server, and those of its connections that one attachment gave to it. */
export class AttachedServer {
  readonly #server: EventEmitter;
  readonly #connections = new Map<Duplex, HttpConnection>();
  readonly #sessions = new Set<ServerHttp2Session>();
  /** Tells which visitor a TLS connection belongs to, whose handshake ends later. Without TLS nothing pays for it. */
  readonly #origin: AsyncLocalStorage<ChannelSocket> | undefined;
  /** the visitor that `connect` is giving to the server */
  #coming: ChannelSocket | undefined;
  readonly #speaksHttp1: boolean;
  #draining = false;
  readonly #listeners: readonly (readonly [event: string, listener: (...given: never[]) => void])[];

  constructor(server: EventEmitter) {
    this.#server = server;
    const isTls = "addContext" in server;
    const isHttp = "closeIdleConnections" in server;
    const isHttp2 = "updateSettings" in server;
    this.#origin = isTls ? new AsyncLocalStorage() : undefined;
    // A listener for `request` would make a server of HTTP/2 that has none answer requests twice.
    this.#speaksHttp1 = isHttp && (!isHttp2 || server.listenerCount("request") > 0);
    const track = (): void => void trackConnections(server);
    this.#listeners = [
      // `close` stops the timer that enforces the limits, but not our visitors.
      ...(isHttp ? [["close", track] as const] : []),
      ...(isTls ? [["secureConnection", (socket: HttpConnection["socket"]) => this.#secured(socket)] as const] : []),
      ...(isHttp2 ? [["session", (session: ServerHttp2Session) => this.#opened(session)] as const] : []),
      ...(this.#speaksHttp1
        ? [["request", (request: IncomingMessage, response: ServerResponse) => this.#asked(request, response)] as const]
        : []),
    ];
    for (const [event, listener] of this.#listeners) server.prependListener(event, listener as () => void);
    attachments.set(server, (attachments.get(server) ?? 0) + 1);
  }

  /** Has Node enforce the server's `headersTimeout` and `requestTimeout`; to be awaited before the first visitor. */
  async ready(): Promise<void> {
    if ("closeIdleConnections" in this.#server) await trackConnections(this.#server);
  }

  /** Gives a visitor to the server. @throws what a listener throws */
  connect(socket: ChannelSocket): void {
    const emit = (): unknown => this.#server.emit("connection", socket);
    if (this.#origin) this.#origin.run(socket, emit);
    else {
      if (this.#speaksHttp1) this.#add(socket);
      this.#coming = socket;
      try {
        emit();
      } finally {
        this.#coming = undefined;
      }
    }
  }

  /** A visitor was turned away. */
  drop(visitor: { readonly remoteAddress: string; readonly remotePort: number }): void {
    this.#server.emit("drop", visitor);
  }

  /** No more visitors come: ends connections as soon as no request is under way on them, instead of keeping them alive. */
  drain(): void {
    this.#draining = true;
    for (const session of this.#sessions) session.close();
    for (const connection of this.#connections.values()) {
      const last = [...connection.responses].at(-1);
      if (last) announceClose(last);
      else this.#endIfIdle(connection);
    }
  }

  /** The last visitor has left. */
  detach(): void {
    for (const [event, listener] of this.#listeners) this.#server.off(event, listener as () => void);
    const left = (attachments.get(this.#server) ?? 1) - 1;
    attachments.set(this.#server, left);
    if (left === 0 && !(this.#server as Partial<Server>).listening) stopTracking(this.#server);
  }

  #add(socket: HttpConnection["socket"]): void {
    const connection: HttpConnection = { socket, responses: new Set(), doneAt: 0 };
    this.#connections.set(socket, connection);
    socket.once("close", () => this.#connections.delete(socket));
    if (this.#draining) this.#endIfIdle(connection);
  }

  #secured(socket: HttpConnection["socket"]): void {
    const visitor = this.#origin?.getStore();
    if (visitor === undefined) return;
    // TLSSocket asks the handle below it for these, and a stream has none.
    for (const name of ["remoteAddress", "remotePort", "remoteFamily"] as const) {
      Object.defineProperty(socket, name, { value: visitor[name], configurable: true });
    }
    if (this.#speaksHttp1) this.#add(socket);
  }

  #opened(session: ServerHttp2Session): void {
    if (this.#coming === undefined && this.#origin?.getStore() === undefined) return;
    this.#sessions.add(session);
    session.once("close", () => this.#sessions.delete(session));
    if (this.#draining) session.close();
  }

  #asked(request: IncomingMessage, response: ServerResponse): void {
    const connection = this.#connections.get(request.socket);
    if (connection === undefined) return;
    connection.responses.add(response);
    if (this.#draining) announceClose(response);
    response.once("close", () => {
      connection.responses.delete(response);
      connection.doneAt = connection.socket.bytesRead;
      if (this.#draining) this.#endIfIdle(connection);
    });
  }

  #endIfIdle({ socket, responses, doneAt }: HttpConnection): void {
    if (responses.size === 0 && socket.bytesRead === doneAt) socket.destroySoon();
  }
}

/** RFC 9112 section 9.6. Too late for a response that has begun. */
function announceClose(response: ServerResponse): void {
  if (!response.headersSent) response.setHeader("connection", "close");
}

/**
 * Has the server do what it does when it begins to listen: know its connections, and check their timeouts. Node does this in a listener of
 * its own for `listening`. A new server has no other ones, so this calls none of the program's, as emitting the event would.
 */
async function trackConnections(server: EventEmitter): Promise<void> {
  const { Server } = await import("node:http");
  const own = new Server().listeners("listening");
  for (const listener of server.listeners("listening")) if (own.includes(listener)) listener.call(server);
}

/** Stops the timer that `trackConnections` made Node start: it would keep a server that is not closed in memory. `listen` starts it again. */
function stopTracking(server: EventEmitter): void {
  for (const symbol of Object.getOwnPropertySymbols(server)) {
    const value = (server as unknown as Record<symbol, unknown>)[symbol];
    const isTimer = typeof value === "object" && value !== null && "unref" in value && "refresh" in value;
    if (isTimer) clearInterval(value as NodeJS.Timeout);
  }
}
