/** TunnelHost on Node.js, with TCP ports. @module */
import type { Socket } from "node:net";
import { type CloseOptions, TunnelHost as PortableHost, type TunnelHostOptions, workerSupport } from "@postern/host";
import { hostPlatform, knownAlgorithms } from "./host-platform.ts";
import { pathReservations } from "./host-sockets.ts";
import { type HostWorkersOptions, readWorkers, WorkerPool } from "./host-workers.ts";
import { type Listener, listen } from "./listener.ts";
import { socketPipe } from "./socket.ts";

/** Options of a TunnelHost on Node.js. */
export interface NodeTunnelHostOptions extends TunnelHostOptions {
  /**
   * Number of processes that serve the clients; `auto` is one for each core. Each client belongs to one of them. The
   * functions of the options run in this process. Default: none: this process serves the clients.
   */
  readonly workers?: number | "auto" | HostWorkersOptions | undefined;
}

/** Options of {@link TunnelHost.listen}. */
export interface TunnelHostListenOptions extends NodeTunnelHostOptions {
  /** the port for clients; 0 lets the system choose */
  readonly port: number;
  /** the address to bind; default: all addresses of both families */
  readonly address?: string;
  /** aborts `listen`; has no effect once it has resolved */
  readonly signal?: AbortSignal | undefined;
}

/**
 * An SSH server on a TCP port. It only forwards ports: it has no shell, commands or files.
 *
 * @example
 * const host = await TunnelHost.listen({
 *   port: 2222,
 *   hostKeys: [await readPrivateKey(text)],
 *   authorize: policy({ test: { password: "secret", permitListen: ["localhost:*"] } }),
 * });
 * host.addEventListener("login", ({ user }) => console.log(user));
 * await host.close();
 */
export class TunnelHost extends PortableHost {
  #listener: Listener | undefined;
  readonly #pool: WorkerPool | undefined;

  /**
   * Use {@link TunnelHost.listen} for a TCP port.
   *
   * @throws SshError `misuse` for options that are unknown, missing or out of range
   */
  constructor({ workers, ...options }: NodeTunnelHostOptions) {
    super(options, hostPlatform);
    if (workers === undefined) return;
    const { count, command } = readWorkers(workers);
    this.#pool = new WorkerPool(workerSupport(this).createWorkers(pathReservations, knownAlgorithms), count, command);
  }

  /**
   * Listens for clients. In the workers of `node:cluster`, which share the port, each client belongs to one of them.
   *
   * @throws SshError `connect` with the address, the port and the system's reason, such as EADDRINUSE, or if a worker
   *   does not start; `misuse` for wrong options; the signal's reason if the signal aborts
   */
  static async listen({ port, address = "", signal, ...options }: TunnelHostListenOptions): Promise<TunnelHost> {
    const host = new TunnelHost(options);
    try {
      await host.#pool?.ready();
      host.#listener = await listen({ host: address, port, signal }, (socket) => void host.serveSocket(socket));
    } catch (error) {
      await host.close({ drainMs: 0 });
      throw error;
    }
    return host;
  }

  /**
   * Serves the client of a socket (takes it), in a worker if the host has some. Resolves when the connection has ended.
   * Never rejects. The socket must be paused, as `pauseOnConnect` of `node:net` makes it.
   *
   * @example
   * const server = createServer({ pauseOnConnect: true, allowHalfOpen: true });
   * server.on("connection", (socket) => void host.serveSocket(socket));
   * server.listen(2222);
   */
  async serveSocket(socket: Socket): Promise<void> {
    const origin = { host: socket.remoteAddress, port: socket.remotePort };
    if (this.#pool === undefined) {
      await this.serve(socketPipe(socket), { origin });
      return;
    }
    socket.on("error", () => {});
    const passed = {
      handle: socket,
      open: () => socketPipe(socket),
      received: () => void socket.destroy(),
      // A copy of the socket may be on its way to a worker, and would keep the connection open.
      lost: () => socket.destroySoon(),
    };
    await workerSupport(this).serveIn(this.#pool.least, passed, { origin });
  }

  /** The IDs of the worker processes that run; none without the option `workers`. */
  get workerPids(): readonly number[] {
    return this.#pool?.pids ?? [];
  }

  /** Closes the host, and ends its workers. */
  override async close(options?: CloseOptions): Promise<void> {
    await super.close(options);
    this.#pool?.close();
  }

  /** The port for clients. 0 if the server was not created by `listen`. */
  get port(): number {
    return this.#listener?.port ?? 0;
  }

  protected override async stopListening(): Promise<void> {
    await this.#listener?.close();
  }
}
