/** The services of the TunnelHost that the files of a client share. @module */
import type { Bytes } from "@postern/wire";
import type { Admission, Offence } from "./admission.ts";
import type { HostClient, HostForwarding } from "./client-view.ts";
import type { HostEvent } from "./events.ts";
import type { Exceeded, HostBudget } from "./host-budget.ts";
import type { HostCounters } from "./host-metrics.ts";
import type { LoginDecider } from "./login-decider.ts";
import type { ProvedKey } from "./login-identity.ts";
import type { CheckedHostOptions } from "./options.ts";
import type { HostPlatform } from "./platform.ts";
import type { Revocations } from "./revocations.ts";
import type { TakeoverClient, Takeovers } from "./takeover.ts";

/** The services that a client uses. In a worker, those that concern other clients ask the primary. */
export interface ClientContext {
  /** The options as of now: `reload` replaces them. */
  readonly options: Omit<CheckedHostOptions, "authorize" | "revokedKeys">;
  readonly platform: HostPlatform;
  /** Counts the memory and channels of all clients. */
  readonly budget: HostBudget;
  readonly takeovers: Pick<Takeovers, "opened" | "closed" | "free">;
  /** Counts the ports of each user. */
  readonly ports: PortBudget;
  /** Returns the place of a client among all. */
  readonly join: (client: TakeoverClient) => Membership;
  /** Returns the object that decides about the login attempts of a client. */
  readonly decider: (client: TakeoverClient) => LoginDecider;
  /** Returns the public URL of a forwarding. */
  readonly urlOf: (forwarding: HostForwarding, client: HostClient) => string | undefined | Promise<string | undefined>;
  /** Returns the fingerprint of a public key, as `SHA256:…`. */
  readonly fingerprint: (publicKey: Bytes) => string;
  /** Counts, logs and dispatches an event. */
  readonly emit: (event: HostEvent) => void;
}

/** Counts a client, from its first byte to the end of its connection. */
export interface Membership {
  /** Counts the client for its user. Returns why it may not stay. */
  loggedIn(user: string, keys: readonly ProvedKey[]): Exceeded | undefined;
  /** The connection has ended. A client that did not log in may be punished for an offence. */
  left(offence: Offence | undefined): void;
}

/** Counts the ports of each user. */
export interface PortBudget {
  take(client: TakeoverClient): Exceeded | undefined | Promise<Exceeded | undefined>;
  giveBack(client: TakeoverClient): void;
}

/** The services of the TunnelHost. */
export interface HostContext extends ClientContext {
  readonly options: CheckedHostOptions;
  readonly admission: Admission;
  readonly takeovers: Takeovers;
  readonly revocations: Revocations;
  readonly counters: HostCounters;
}
