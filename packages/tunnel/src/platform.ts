/** What a platform gives the facade: sockets, randomness and its own algorithm values. @module */
import type { Algorithms, Random } from "@postern/crypto";
import type { BytePipe } from "@postern/ssh";

/** A TCP address to connect to. */
export interface Target {
  readonly host: string;
  readonly port: number;
}

/** Everything that differs between runtimes. */
export interface Platform {
  /** Connects to a TCP address. @throws SshError `connect`, `timeout` or `aborted` */
  dial(target: Target, options: { readonly signal: AbortSignal | undefined; readonly timeoutMs: number }): Promise<BytePipe>;
  /** the default algorithms, fastest first on this platform */
  readonly algorithms: Algorithms;
  readonly random: Random;
}
