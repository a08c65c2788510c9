/** A listening TCP port. @module */
import { type AddressInfo, createServer, type Socket } from "node:net";

import { expectSignal, SshError } from "@postern/wire";
import { checkHost, checkPort, hostPort, reasonOf } from "./dial.ts";

/** What {@link listen} is told. */
export interface ListenOptions {
  /** the address to bind, or a name that has one; "" is all addresses of both families */
  readonly host: string;
  /** 0 lets the system choose */
  readonly port: number;
  /** listen on `::` without IPv4; false by default */
  readonly ipv6Only?: boolean | undefined;
  /** connections the system keeps until they are accepted; 511 by default */
  readonly backlog?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A port that is listened on. */
export interface Listener {
  readonly address: string;
  readonly port: number;
  /** Frees the port; the connections that were accepted live on. */
  close(): Promise<void>;
}

/**
 * Listens. A socket given to `onSocket` may half-close, has Nagle's algorithm off, and nothing has been read from it: whoever takes it
 * starts it, as `socketPipe` does. The signal counts until the port is listened on.
 *
 * @throws SshError `connect` that names address and port and the system's reason, such as EADDRINUSE; `aborted`; `misuse` for a wrong port, or a
 *   value of another type
 * @example
 * const listener = await listen({ host: "127.0.0.1", port: 0 }, (socket) => serveOver(socketPipe(socket)));
 * console.log(listener.port);
 * await listener.close();
 */
export async function listen(options: ListenOptions, onSocket: (socket: Socket) => void): Promise<Listener> {
  const { host, port, backlog, ipv6Only = false, signal } = options;
  checkHost(host);
  checkPort(port, 0);
  expectSignal(signal);
  const name = hostPort(host, port);
  const aborted = () => new SshError("aborted", `listening on ${name} was aborted`, { cause: signal?.reason });
  if (signal?.aborted) throw aborted();
  const server = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, (socket) => {
    // A socket nobody has taken yet must not end the process with an unhandled 'error'.
    socket.on("error", () => {});
    onSocket(socket);
  });
  await new Promise<void>((resolve, reject) => {
    const settle = (error?: SshError) => {
      signal?.removeEventListener("abort", abort);
      if (error) reject(error);
      else resolve();
    };
    const abort = () => {
      server.close();
      settle(aborted());
    };
    signal?.addEventListener("abort", abort, { once: true });
    // It stays: accept() may fail for a moment, as with too many open files, and the port is still listened on.
    server.on("error", (cause) => {
      settle(new SshError("connect", `expected to listen on ${name}, got ${reasonOf(cause)}`, { cause }));
    });
    server.listen({ host, port, ipv6Only, ...(backlog === undefined ? {} : { backlog }) }, () => settle());
  });
  const bound = server.address() as AddressInfo;
  return { address: bound.address, port: bound.port, close };

  // The server's own callback would wait for every accepted connection to end.
  async function close(): Promise<void> {
    server.close();
    await new Promise((resolve) => setImmediate(resolve));
  }
}
