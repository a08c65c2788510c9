/** The platform: sockets, randomness and its own algorithm values. @module */
import type { Algorithms, Hash, Random } from "@postern/crypto";
import type { Free } from "@postern/ssh";
import type { HostKeyCheck } from "./host-key.ts";
import type { HostedService } from "./hosted-session.ts";
import type { LocalContext, LocalForwarder } from "./local-options.ts";
import type { SpecialTargets } from "./special-targets.ts";
import type { Dial, Target } from "./target.ts";
import type { VisitorFeatures } from "./visitor-limits.ts";

/** Everything that differs between runtimes. */
export interface Platform {
  /** Connects to the SSH server. */
  readonly dial: Dial;
  /** Connects to the target of a forwarding. Default: `dial`. `false`: this runtime cannot, and `forward()` throws. */
  readonly dialTarget?: Dial<Target> | Dial | false | undefined;
  /** Targets other than a host and a port: `createSpecialTargets`. Default: `forward()` throws for them. */
  readonly specialTargets?: SpecialTargets | undefined;
  /** Listens on this machine: `createLocalForwarder`. Default: `forwardLocal()` and `socks()` throw. */
  readonly local?: ((context: LocalContext) => LocalForwarder) | undefined;
  /** The default algorithms, fastest first. */
  readonly algorithms: Algorithms;
  /**
   * Replaces algorithms that the runtime does not support. Runs once per connection, while the server is dialled.
   * Default: every algorithm is taken as it is.
   */
  readonly prepare?: ((algorithms: Algorithms) => Promise<Algorithms>) | undefined;
  /** Whether `dialTarget` speaks TLS with a target that asks for it. Default: no. */
  readonly dialsTls?: boolean | undefined;
  /** Default: a forwarding with `limits` or `proxyProtocol` is refused. */
  readonly visitorFeatures?: VisitorFeatures | undefined;
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
