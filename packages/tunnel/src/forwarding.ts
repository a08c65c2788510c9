/** The public interface of a forwarding. @module */
import type { Address, CallOptions, Channel } from "@postern/ssh";
import type { SshError } from "@postern/wire";
import type { ForwardingStats } from "./forwarding-stats.ts";
import type { HostedSession } from "./hosted-session.ts";
import type { Platform } from "./platform.ts";
import type { ProbeResult } from "./probe.ts";
import type { Target } from "./target.ts";

/**
 * The state of a forwarding. `pending`: the server does not listen for us at the moment, because the connection is down
 * or the port is taken, perhaps by our own dead session. The request is repeated until it succeeds.
 */
export type ForwardingState = "open" | "pending" | "closed";

/** A port or UNIX socket that the server listens on for this tunnel, also after a reconnection. */
export interface Forwarding {
  /** exactly as requested; of a UNIX socket, its path */
  readonly address: string;
  /**
   * The port that the server listens on. If 0 was requested, the server chose it, and it may change with a reconnection
   * unless `keepPort` is set. `undefined` for a UNIX socket, and if the server did not say, see
   * `ServiceProfile.omitsPort`.
   */
  readonly port: number | undefined;
  /** the path of a UNIX socket on the server, as requested; `undefined` for a port */
  readonly path: string | undefined;
  /**
   * The public URL, once the service has printed it in the tunnel's `session` on the current connection. The event
   * `forwarding` fires when it changes.
   */
  readonly url: string | undefined;
  readonly target: Target | "socks" | undefined;
  readonly state: ForwardingState;
  /** why it is `pending` or `closed` */
  readonly reason: SshError | undefined;
  /** Resolves when it or the tunnel was closed by the program; rejects when it or the tunnel gave up. */
  readonly closed: Promise<void>;
  /** Frees the port. Open connections stay open. @throws SshError `refused` if the server does not free the port */
  close(options?: CallOptions): Promise<void>;
  /**
   * Asks the server to connect to its own port, and checks which program answers. Visitors that arrive during a probe
   * are accepted before the target is dialled.
   *
   * @throws SshError `closed` if the forwarding is not open
   */
  probe(options?: CallOptions): Promise<ProbeResult>;
  stats(): ForwardingStats;
  /** `await using forwarding` closes it at the end of the block. Never throws. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** A forwarding without a target: an async iterable of one channel per visitor. */
export interface Listener extends Forwarding, AsyncIterable<ForwardedChannel> {}

/** The connection of one visitor. */
export interface ForwardedChannel extends Channel {
  /** the visitor's address, as the server reports it; empty for a UNIX socket */
  readonly origin: Address;
}

/** The services of the tunnel that its forwardings use. */
export interface ForwardingContext {
  readonly platform: Platform;
  readonly targetTimeoutMs: number;
  readonly hosted: HostedSession | undefined;
  /** The state changed. Not called until the forwarding has been open. */
  changed(forwarding: Forwarding, state: ForwardingState, reason: SshError | undefined): void;
  /** The server refused the port, or its answer was malformed. Called after `changed`. */
  failed(error: SshError): void;
  /** A call or an iterator of the program has rejected, so that this error has been reported. */
  readonly rejected: (error: unknown) => void;
  visitorError(forwarding: Forwarding, origin: Address, error: unknown): void;
}
