/** What a platform gives the facade: sockets, randomness and its own algorithm values. @module */
import type { Algorithms, Hash, Random } from "@postern/crypto";
import type { Address, BytePipe, Free } from "@postern/ssh";

/** Where a forwarding connects its visitors to. */
export type Target = Address;

/** Connects to an address. @throws SshError `connect`, `timeout` or `aborted` */
export type Dial = (
  target: Target,
  options: { readonly signal: AbortSignal | undefined; readonly timeoutMs: number },
) => Promise<BytePipe>;

/** A dial under way. */
export interface Dialling {
  /** Ends it with `aborted`; once it has succeeded or failed, it does nothing. */
  abort(reason: unknown): void;
}

/** {@link Dial} for one of many visitors, who needs neither a promise nor a signal: one of the two functions is called later, once. */
export type DialTelling = (
  target: Target,
  timeoutMs: number,
  connected: (pipe: BytePipe) => void,
  failed: (error: unknown) => void,
) => Dialling;

/** Everything that differs between runtimes. */
export interface Platform {
  /** Connects to the SSH host. */
  readonly dial: Dial;
  /** Connects to a target of local forwarding; `dial` when left out. `false`: this runtime connects to none, so a target is refused. */
  readonly dialTarget?: Dial | false | undefined;
  /** `dialTarget` at less cost, where the platform knows how */
  readonly dialTelling?: DialTelling | undefined;
  /** the default algorithms, fastest first on this platform */
  readonly algorithms: Algorithms;
  /**
   * Replaces algorithms that the runtime does not support. Runs once per connection, while the server is dialled.
   * Default: every algorithm is taken as it is.
   */
  readonly prepare?: ((algorithms: Algorithms) => Promise<Algorithms>) | undefined;
  readonly random: Random;
  /** SHA-256, for fingerprints */
  readonly sha256: Hash;
  /** Frees the memory of a chunk (takes it), see `pump`. */
  readonly free?: Free | undefined;
}

/** Any dial, told by its promise. Each has a signal of its own: one for thousands would hold as many listeners. */
export function telling(dial: Dial): DialTelling {
  return (target, timeoutMs, connected, failed) => {
    const dialling = new AbortController();
    const dialled = async (): Promise<BytePipe> => await dial(target, { signal: dialling.signal, timeoutMs });
    dialled().then(connected, failed);
    return dialling;
  };
}
