/** The services of the TunnelHost that the files of a client share. @module */
import type { Bytes } from "@postern/wire";
import type { Admission } from "./admission.ts";
import type { HostEvent } from "./events.ts";
import type { HostBudget } from "./host-budget.ts";
import type { HostCounters } from "./host-metrics.ts";
import type { CheckedHostOptions } from "./options.ts";
import type { HostPlatform } from "./platform.ts";
import type { Revocations } from "./revocations.ts";
import type { Takeovers } from "./takeover.ts";

/** The services of the TunnelHost that a client uses. */
export interface HostContext {
  /** The options as of now: `reload` replaces them. */
  readonly options: CheckedHostOptions;
  readonly platform: HostPlatform;
  readonly admission: Admission;
  readonly budget: HostBudget;
  readonly takeovers: Takeovers;
  readonly revocations: Revocations;
  readonly counters: HostCounters;
  /** Returns the fingerprint of a public key, as `SHA256:…`. */
  readonly fingerprint: (publicKey: Bytes) => string;
  /** Counts, logs and dispatches an event. */
  readonly emit: (event: HostEvent) => void;
}
