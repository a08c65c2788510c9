/** Local forwarding: its options, its public interface, and what a platform provides for it. @module */
import type { Address, BytePipe, CallOptions, Free, SshConnection } from "@postern/ssh";
import type { SshError } from "@postern/wire";
import type { ForwardingStats } from "./forwarding-stats.ts";
import type { Target } from "./target.ts";

/** Where `forwardLocal` and `socks` listen: a port, or the path of a UNIX socket. */
export interface LocalListenOptions {
  /** `""` means all addresses, which the network can reach; default `localhost`: loopback of both families */
  readonly address?: string;
  /** 0 lets the system choose; either this or `path` is required */
  readonly port?: number;
  /**
   * The path of a UNIX socket on this machine, which only the user of the process may connect to. A file that is there
   * already is an error.
   */
  readonly path?: string;
  /** `connections`: how many may be open or about to be, more are reset; default `{ connections: 1024 }` */
  readonly limits?: { readonly connections?: number };
  /** aborts the call; a forwarding that has been returned is not affected */
  readonly signal?: AbortSignal;
}

/** Options of `ReverseTunnel.forwardLocal`. */
export interface ForwardLocalOptions extends LocalListenOptions {
  /** the address to which the server connects each connection: `{ host, port }`, or `{ path }` of a UNIX socket there */
  readonly target: Target;
}

/** Options of `ReverseTunnel.socks`. */
export type LocalSocksOptions = LocalListenOptions;

/** A port or UNIX socket of this machine whose connections go through the tunnel, also after a reconnection. */
export interface LocalForwarding {
  /** exactly as requested; of a UNIX socket, its path */
  readonly address: string;
  /** the port that this machine listens on; 0 for a UNIX socket */
  readonly port: number;
  /** the path of a UNIX socket on this machine; `undefined` for a port */
  readonly path: string | undefined;
  readonly target: Target | "socks";
  /** `open` while this machine listens, also while the tunnel is not connected */
  readonly state: "open" | "closed";
  /** Resolves when it or the tunnel was closed by the program; rejects when the tunnel gave up. */
  readonly closed: Promise<void>;
  /** Frees the port. Open connections stay open. */
  close(options?: CallOptions): Promise<void>;
  /** Figures of its clients: `bytesIn` are bytes that they sent. */
  stats(): ForwardingStats;
  /** `await using forwarding` closes it at the end of the block. Never throws. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** A listening socket of this machine. */
export interface LocalListener {
  readonly port: number;
  /** Decides whether it keeps the process alive. */
  setRef(keepsAlive: boolean): void;
  /** Accepts no more connections. */
  close(): Promise<void>;
}

/** Listens on this machine. Rejects with an SshError `connect`. */
export type LocalListen = (
  at: { readonly address: string; readonly port: number } | { readonly path: string },
  onClient: (pipe: BytePipe, origin: Address | undefined) => void,
) => Promise<LocalListener>;

/** The services of the tunnel that local forwarding uses. */
export interface LocalContext {
  /** fires `state`; `localerror` is dispatched at it */
  readonly tunnel: EventTarget;
  /** the connection to the server while the tunnel is open */
  readonly connection: () => SshConnection | undefined;
  readonly targetTimeoutMs: number;
  readonly free: Free | undefined;
}

/** All local forwardings of one tunnel. */
export interface LocalForwarder {
  /** @throws SshError `misuse`, `connect`, `closed`; the signal's reason */
  listen(
    what: "forwardLocal" | "socks",
    options: ForwardLocalOptions | LocalSocksOptions,
    ignored: readonly unknown[],
  ): Promise<LocalForwarding>;
  setRef(keepsAlive: boolean): void;
  /** Frees all ports. */
  close(): Promise<void>;
  /** Resolves when no connection is open or about to be. */
  idle(): Promise<void>;
  /** Ends all forwardings, because the tunnel has ended. */
  end(error: SshError | undefined): void;
}
