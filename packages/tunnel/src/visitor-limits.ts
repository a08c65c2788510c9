/** Requirements of a forwarding for its visitors, and the features of a platform that meet them. @module */
import type { Address, BytePipe, Channel } from "@postern/ssh";
import type { Bytes } from "@postern/wire";

/** The version of the PROXY protocol. 1: a line of text, 2: binary. */
export type ProxyProtocolVersion = 1 | 2;

/** Limits on the visitors of one forwarding. By default there is none. */
export interface ForwardingLimits {
  /** visitors that are connected or about to be; more are refused */
  readonly connections?: number;
  /** bytes per second in each direction, of all visitors together; only with a target */
  readonly bytesPerSecond?: number;
  /** milliseconds without a byte in either direction, after which a visitor is disconnected */
  readonly idleTimeoutMs?: number;
  /** milliseconds after which a visitor is disconnected in any case */
  readonly lifetimeMs?: number;
}

/** The options of a forwarding that need {@link VisitorFeatures}. */
export interface VisitorRequirements {
  readonly limits?: ForwardingLimits | undefined;
  readonly proxyProtocol?: ProxyProtocolVersion | undefined;
  readonly target?: unknown;
}

/** Applies {@link ForwardingLimits} to the visitors of one forwarding. */
export interface Limiter {
  readonly connections: number;
  /** Bytes have passed so fast that new visitors would wait for more than a second. */
  readonly isBehind: boolean;
  /** Returns the pipe of a target (takes it) with a limited rate. */
  limit(pipe: BytePipe): BytePipe;
  /** Watches a channel and the pipe of its target, until both are closed. */
  opened(channel: Channel, pipe: BytePipe | undefined): void;
  closed(channel: Channel): void;
}

/** Features that few forwardings need. A value, so that a program that does not need it does not carry it. */
export interface VisitorFeatures {
  /** @throws SshError `misuse` */
  check(options: VisitorRequirements): void;
  createLimiter(limits: ForwardingLimits): Limiter;
  /** Returns the header of the PROXY protocol. */
  proxyHeader(version: ProxyProtocolVersion, origin: Address, local: Address): Bytes;
}
