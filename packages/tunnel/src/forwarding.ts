/** One forwarding as the program sees it. @module */
import type { CallOptions, Channel } from "@postern/ssh";
import type { SshError } from "@postern/wire";
import type { Link } from "./link.ts";
import type { Platform, Target } from "./platform.ts";
import type { ProbeResult } from "./probe.ts";

/**
 * Where a forwarding stands. `pending`: the host does not listen for us now, because the connection is down or the port is still held
 * by somebody, perhaps by our own dead session; the request is repeated until it succeeds.
 */
export type ForwardingState = "open" | "pending" | "closed";

/** What went through a forwarding so far. */
export interface ForwardingStats {
  /** connections that were let in, and those that are open */
  readonly accepted: number;
  readonly open: number;
  /** visitors that were turned away */
  readonly refused: number;
  /** bytes of visitors to us, and back */
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** how often a write had to wait for the host's window */
  readonly stalls: number;
}

/** A port that the server listens on for this tunnel, also after a reconnection. */
export interface Forwarding {
  /** as requested, word for word */
  readonly address: string;
  /** the port the host listens on. When 0 was requested it is the host's choice, and may change with a reconnection unless `keepPort` is set. */
  readonly port: number;
  readonly target: Target | undefined;
  readonly state: ForwardingState;
  /** why it is `pending`, or why it was closed */
  readonly reason: SshError | undefined;
  /** Resolves when it was cancelled or the tunnel logged off; rejects when it or the tunnel was given up. */
  readonly closed: Promise<void>;
  /** Frees the port; connections that are open live on. @throws SshError `refused` when the host does not do so */
  close(options?: CallOptions): Promise<void>;
  /**
   * Asks the host to connect to its own port, and sees who answers. Visitors that come meanwhile are let in before the target is dialled.
   *
   * @throws SshError `closed` when the forwarding is not open
   */
  probe(options?: CallOptions): Promise<ProbeResult>;
  stats(): ForwardingStats;
  /** `await using forwarding`: closes it at the end of the block. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** A forwarding without a target: an async iterable of one channel per visitor. */
export interface Listener extends Forwarding, AsyncIterable<ForwardedChannel> {}

/** A connection of a visitor, in event based mode. */
export interface ForwardedChannel extends Channel {
  /** where the visitor comes from, as the host tells */
  readonly origin: Target;
}

/** What a forwarding needs of its tunnel, and tells it. */
export interface ForwardingContext {
  readonly platform: Platform;
  readonly targetTimeoutMs: number;
  /** Whether this link is the tunnel's, and not lost. */
  isCurrent(link: Link): boolean;
  changed(forwarding: Forwarding, state: ForwardingState, reason: SshError | undefined): void;
  visitorError(forwarding: Forwarding, origin: Target, error: unknown): void;
}
