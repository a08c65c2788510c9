/** The platform: sockets, randomness and its own algorithm values. @module */
import type { Algorithms, Hash, Random } from "@postern/crypto";
import type { Address, BytePipe, Free } from "@postern/ssh";
import type { HostKeyCheck } from "./host-key.ts";
import type { HostedService } from "./hosted-session.ts";

/** The address to which a forwarding connects its visitors. */
export type Target = Address;

/** A dial in progress. */
export interface PendingDial {
  /** Ends the dial, which then fails with SshError `aborted`. Has no effect once the dial has succeeded or failed. */
  abort(reason: unknown): void;
}

/**
 * Connects to an address. Calls `connected` or `failed` once, after it has returned. Failures are an SshError
 * `connect`, `timeout` or `aborted`. Callbacks instead of a promise and a signal, because that costs less for each of
 * many visitors.
 */
export type Dial = (
  target: Target,
  timeoutMs: number,
  connected: (pipe: BytePipe) => void,
  failed: (error: unknown) => void,
) => PendingDial;

/** Everything that differs between runtimes. */
export interface Platform {
  /** Connects to the SSH server. */
  readonly dial: Dial;
  /** Connects to the target of a forwarding. Default: `dial`. `false`: this runtime cannot, and `forward()` throws. */
  readonly dialTarget?: Dial | false | undefined;
  /** The default algorithms, fastest first. */
  readonly algorithms: Algorithms;
  /**
   * Replaces algorithms that the runtime does not support. Runs once per connection, while the server is dialled.
   * Default: every algorithm is taken as it is.
   */
  readonly prepare?: ((algorithms: Algorithms) => Promise<Algorithms>) | undefined;
  readonly random: Random;
  /** Creates the default of the option `hostKey`. Without it, the option is required. */
  readonly defaultHostKey?: (() => HostKeyCheck) | undefined;
  /** SHA-256, for fingerprints. */
  readonly sha256: Hash;
  /** the default of the option `service` if there is a `session`; without it, a session needs a service */
  readonly service?: HostedService | undefined;
  /** Frees the memory of a chunk (takes it), see `pump`. */
  readonly free?: Free | undefined;
}
