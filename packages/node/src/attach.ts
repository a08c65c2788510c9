/** Visitors of the host's port, given to a server of Node. @module */
import type { Duplex } from "node:stream";
import type { BytePipe } from "@postern/ssh";
import type { Target } from "@postern/tunnel/platform";
import { SshError } from "@postern/wire";
import { ChannelSocket } from "./channel-socket.ts";

/** Anything that takes connections as `net.Server` does: a server of `node:http`, `node:http2`, `node:tls`, `node:net`. */
export interface ServerLike {
  emit(event: "connection", socket: Duplex): boolean;
  /** as `net.createServer` was told; default true */
  readonly allowHalfOpen?: boolean;
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
 * @throws SshError `misuse` when it is no server and no function
 * @example
 * const server = http.createServer((request, response) => response.end(`hello ${request.socket.remoteAddress}\n`));
 * const forwarding = await tunnel.requestForwarding({ port: 8080 });
 * attach(forwarding, server);
 */
export function attach(
  forwarding: AsyncIterable<BytePipe & { readonly origin: Target }>,
  server: ServerLike | ((socket: ChannelSocket) => void),
  options: AttachOptions = {},
): Attachment {
  const { signal } = options;
  const take =
    typeof server === "function" ? server : (socket: ChannelSocket) => void server.emit("connection", socket);
  if (typeof server !== "function" && typeof server?.emit !== "function") {
    throw new SshError("misuse", `expected a server or a function that takes sockets, got ${typeof server}`);
  }
  const allowHalfOpen = typeof server === "function" ? true : server.allowHalfOpen;
  const sockets = new Set<ChannelSocket>();
  let cut: () => void = () => {};
  let over = false;
  const closed = run();
  // Nobody has to look at it: the tunnel tells the same.
  closed.catch(() => {});
  return { sockets, closed };

  async function run(): Promise<void> {
    const channels = forwarding[Symbol.asyncIterator]();
    const aborted = new Promise<undefined>((resolve) => {
      cut = () => {
        for (const socket of sockets) socket.destroy(new SshError("aborted", "the server was detached"));
        resolve(undefined);
      };
    });
    signal?.addEventListener("abort", cut, { once: true });
    if (signal?.aborted) cut();
    try {
      for (;;) {
        const coming = channels.next();
        const result = await Promise.race([coming, aborted]);
        if (result === undefined) {
          coming.then(
            ({ value }) => value?.close(),
            () => {},
          );
          void channels.return?.().catch(() => {});
        }
        if (result === undefined || result.done) return;
        give(result.value);
      }
    } finally {
      over = true;
      forget();
    }
  }

  /** The signal counts as long as there is something to cut. */
  function forget(): void {
    if (over && sockets.size === 0) signal?.removeEventListener("abort", cut);
  }

  function give(channel: BytePipe & { readonly origin: Target }): void {
    const socket = new ChannelSocket(channel, channel.origin, allowHalfOpen);
    sockets.add(socket);
    socket.once("close", () => {
      sockets.delete(socket);
      forget();
    });
    try {
      take(socket);
    } catch (error) {
      // As with a listener that throws in net.Server the program is told; its other visitors are none the worse.
      socket.destroy(error instanceof Error ? error : new SshError("closed", "the server failed", { cause: error }));
      queueMicrotask(() => {
        throw error;
      });
    }
  }
}
