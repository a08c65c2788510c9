/** What a platform gives the host: listening, dialling, randomness and its own algorithm values. @module */
import type { Algorithms, Random } from "@postern/crypto";
import type { Address, BytePipe, Free } from "@postern/ssh";

export type { Address };

/** Ports that are listened on. */
export interface Listening {
  readonly port: number;
  /** Frees the port; connections that were accepted live on. */
  close(): Promise<void>;
}

/** Everything that differs between runtimes. */
export interface HostPlatform {
  /**
   * Listens on one port of several addresses; 0 lets the system choose one that is free on all of them. Address families the machine
   * does not have are left out.
   *
   * @throws SshError `connect` when the port is taken on any of them, or no address is left
   */
  listen(
    hosts: readonly string[],
    port: number,
    onVisitor: (visitor: BytePipe, origin: Address) => void,
  ): Promise<Listening>;
  /** Connects to a TCP address, for `direct-tcpip`. @throws SshError `connect`, `timeout` or `aborted` */
  dial(
    target: Address,
    options: { readonly signal: AbortSignal | undefined; readonly timeoutMs: number },
  ): Promise<BytePipe>;
  /** the default algorithms, best first */
  readonly algorithms: Algorithms;
  /** Replaces algorithms that the runtime does not support; runs once per client. Default: every algorithm is taken as it is. */
  readonly prepare?: ((algorithms: Algorithms) => Promise<Algorithms>) | undefined;
  readonly random: Random;
  /** Frees the memory of a chunk (takes it), see `pump`. */
  readonly free?: Free | undefined;
}
