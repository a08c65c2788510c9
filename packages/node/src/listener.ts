/** A listening TCP port. @module */
import { type AddressInfo, createServer, type Socket } from "node:net";
import { abortable, hostPort, setRef } from "@postern/ssh";
import { expectPort, expectSignal, expectType, SshError } from "@postern/wire";
import { reasonOf } from "./dial.ts";

/** Options of {@link listen}. */
export interface ListenOptions {
  /** the address to bind, or a name that resolves to one; "" means all addresses of both families */
  readonly host: string;
  /** 0 lets the system choose */
  readonly port: number;
  /** listens on `::` without IPv4; default `false` */
  readonly ipv6Only?: boolean | undefined;
  /** `false`: the workers of a cluster share the port; default `false` */
  readonly exclusive?: boolean | undefined;
  /** connections that the system queues until they are accepted; default 511 */
  readonly backlog?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A listening port. */
export interface Listener {
  readonly address: string;
  readonly port: number;
  /** Decides whether it keeps the process alive. */
  setRef(keepsAlive: boolean): void;
  /** Frees the port. Accepted connections continue. */
  close(): Promise<void>;
}

/**
 * Listens on a TCP port. `onSocket` gets paused sockets with half-close on and Nagle's algorithm off; `socketPipe`
 * resumes them. The signal has no effect once the port is open.
 *
 * @throws SshError `connect` with the address, the port and the system's reason, such as EADDRINUSE; `misuse`
 *   for wrong options; the signal's reason if the signal aborts
 * @example
 * const listener = await listen({ host: "127.0.0.1", port: 0 }, (socket) => serveOver(socketPipe(socket)));
 * console.log(listener.port);
 * await listener.close();
 */
export async function listen(options: ListenOptions, onSocket: (socket: Socket) => void): Promise<Listener> {
  const { host, port, backlog, ipv6Only = false, exclusive = false, signal } = options;
  // node:net would listen on loopback for null.
  expectType("host", host, "string");
  expectPort("port", port, 0);
  expectSignal(signal);
  const name = hostPort({ host, port });
  signal?.throwIfAborted();
  const server = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, (socket) => {
    // Without a listener, an 'error' of a socket that is not in use yet would end the process.
    socket.on("error", () => {});
    onSocket(socket);
  });
  await new Promise<void>((resolve, reject) => {
    const settle = abortable(signal, { resolve, reject }, () => {
      server.close();
      reject(signal?.reason);
    });
    // The listener stays: accept() may fail temporarily, for example with too many open files, while the port stays
    // open.
    server.on("error", (cause) => {
      settle.reject(new SshError("connect", `expected to listen on ${name}, got ${reasonOf(cause)}`, { cause }));
    });
    server.listen({ host, port, ipv6Only, exclusive, ...(backlog === undefined ? {} : { backlog }) }, () =>
      settle.resolve(),
    );
  });
  const bound = server.address() as AddressInfo;
  return { address: bound.address, port: bound.port, close, setRef: (keepsAlive) => setRef(server, keepsAlive) };

  // The callback of server.close() would wait for every accepted connection to end.
  async function close(): Promise<void> {
    server.close();
    await new Promise((resolve) => setImmediate(resolve));
  }
}
