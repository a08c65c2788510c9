/** What a platform gives the facade: sockets, randomness and its own algorithm values. @module */
import type { Algorithms, Hash, Random } from "@postern/crypto/platform";
import type { BytePipe } from "@postern/ssh";

/** A TCP address to connect to. */
export interface Target {
  readonly host: string;
  readonly port: number;
}

/** Connects to an address. @throws SshError `connect`, `timeout` or `aborted` */
export type Dial = (
  target: Target,
  options: { readonly signal: AbortSignal | undefined; readonly timeoutMs: number },
) => Promise<BytePipe>;

/** Everything that differs between runtimes. */
export interface Platform {
  /** Connects to the SSH host. */
  readonly dial: Dial;
  /** Connects to a target of local forwarding; `dial` when left out. `false`: this runtime connects to none, so a target is refused. */
  readonly dialTarget?: Dial | false | undefined;
  /** the default algorithms, fastest first on this platform */
  readonly algorithms: Algorithms;
  readonly random: Random;
  /** SHA-256, for fingerprints; in pure JavaScript when left out */
  readonly sha256?: Hash | undefined;
}

/** A platform that leaves nothing to pure JavaScript. */
export interface HashingPlatform extends Platform {
  readonly sha256: Hash;
}
