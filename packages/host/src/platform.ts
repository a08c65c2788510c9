/** The platform of a TunnelHost: listening, dialing, randomness and algorithms. @module */
import type { Algorithms, Hash, Random } from "@postern/crypto";
import type { Address, BytePipe, Free } from "@postern/ssh";

export type { Address };

/** A port that the platform listens on. */
export interface Listening {
  readonly port: number;
  /** Frees the port. Accepted connections stay open. */
  close(): Promise<void>;
}

/** Everything that differs between runtimes. */
export interface HostPlatform {
  /**
   * Listens on one port of several addresses. With port 0 the system chooses a port that is free on all of them.
   * Address families that the machine lacks are skipped.
   *
   * @throws SshError `connect` if the port is in use on any address, or no address remains
   */
  listen(
    hosts: readonly string[],
    port: number,
    onVisitor: (visitor: BytePipe, origin: Address) => void,
  ): Promise<Listening>;
  /** Connects to the target of a `direct-tcpip` channel. @throws SshError `connect`, `timeout` or `aborted` */
  dial(
    target: Address,
    options: { readonly signal: AbortSignal | undefined; readonly timeoutMs: number },
  ): Promise<BytePipe>;
  /**
   * Listens on a UNIX socket that only programs permitted by `mode` may connect to. Default: the host has none.
   *
   * @throws SshError `connect` if the path is in use
   */
  readonly listenPath?:
    | ((
        path: string,
        options: { readonly mode: number },
        onVisitor: (visitor: BytePipe) => void,
      ) => Promise<Pick<Listening, "close">>)
    | undefined;
  /** Connects to a UNIX socket. Default: the host connects to none. Throws as `dial` does. */
  readonly dialPath?:
    | ((
        path: string,
        options: { readonly signal: AbortSignal | undefined; readonly timeoutMs: number },
      ) => Promise<BytePipe>)
    | undefined;
  /** The default algorithms, best first. */
  readonly algorithms: Algorithms;
  /** Replaces algorithms that the runtime does not support. Called once per client. Default: keeps every algorithm. */
  readonly prepare?: ((algorithms: Algorithms) => Promise<Algorithms>) | undefined;
  readonly random: Random;
  /** SHA-256, for fingerprints in a list of revoked keys. */
  readonly sha256: Hash;
  /** Frees the memory of a chunk (takes it), see `pump`. */
  readonly free?: Free | undefined;
}
