/** Features that few forwardings need: limits, and the PROXY protocol. @module */
import { type BytePipe, type Channel, checkOptions } from "@postern/ssh";
import { describeType, expectInteger, expectNumber, maxTimerMs, SshError } from "@postern/wire";
import { proxyHeader } from "./proxy-protocol.ts";
import { RateLimitedPipe, TokenBucket } from "./rate-limit.ts";
import type { ForwardingLimits, Limiter, VisitorFeatures } from "./visitor-limits.ts";

/** The value of `Platform.visitorFeatures`. */
export const visitorFeatures: VisitorFeatures = {
  check({ limits, proxyProtocol, target }) {
    if (limits !== undefined) checkLimits(limits, target !== undefined && target !== "socks");
    if (proxyProtocol !== undefined && proxyProtocol !== 1 && proxyProtocol !== 2) {
      const got = typeof proxyProtocol === "number" ? proxyProtocol : describeType(proxyProtocol);
      throw new SshError("misuse", `expected proxyProtocol to be 1 or 2, got ${got}`);
    }
  },
  createLimiter: (limits) => new VisitorLimiter(limits),
  proxyHeader,
};

function checkLimits(limits: ForwardingLimits, hasTarget: boolean): void {
  checkOptions("limits", limits, ["connections", "bytesPerSecond", "idleTimeoutMs", "lifetimeMs"]);
  const { connections, bytesPerSecond, idleTimeoutMs, lifetimeMs } = limits;
  if (connections !== undefined) expectInteger("limits.connections", connections, 1);
  if (bytesPerSecond !== undefined) {
    expectNumber("limits.bytesPerSecond", bytesPerSecond, 1);
    if (!hasTarget)
      throw new SshError("misuse", "expected limits.bytesPerSecond with a target that is an address, got it without");
  }
  if (idleTimeoutMs !== undefined) expectNumber("limits.idleTimeoutMs", idleTimeoutMs, 1);
  if (lifetimeMs !== undefined) expectNumber("limits.lifetimeMs", lifetimeMs, 1);
}

/** Above this wait for the bytes of others, a new visitor is refused. */
const longestWaitMs = 1_000;

/** The last activity of a visitor. */
interface Watched {
  readonly pipe: BytePipe | undefined;
  readonly openedAt: number;
  activeAt: number;
  bytes: number;
}

/** The limits of one forwarding, applied to its visitors. */
class VisitorLimiter implements Limiter {
  readonly connections: number;
  readonly #idleMs: number;
  readonly #lifetimeMs: number;
  readonly #written: TokenBucket | undefined;
  readonly #read: TokenBucket | undefined;
  readonly #watched = new Map<Channel, Watched>();
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(limits: ForwardingLimits) {
    const { connections, bytesPerSecond, idleTimeoutMs, lifetimeMs } = limits;
    this.connections = connections ?? Number.POSITIVE_INFINITY;
    this.#idleMs = idleTimeoutMs ?? Number.POSITIVE_INFINITY;
    this.#lifetimeMs = lifetimeMs ?? Number.POSITIVE_INFINITY;
    if (bytesPerSecond === undefined) return;
    this.#written = new TokenBucket(bytesPerSecond);
    this.#read = new TokenBucket(bytesPerSecond);
  }

  limit(pipe: BytePipe): BytePipe {
    return this.#written && this.#read ? new RateLimitedPipe(pipe, this.#written, this.#read) : pipe;
  }

  get isBehind(): boolean {
    const waits = [this.#written, this.#read].map((bucket) => bucket?.take(0) ?? 0);
    return Math.max(...waits) > longestWaitMs;
  }

  opened(channel: Channel, pipe: BytePipe | undefined): void {
    const shortest = Math.min(this.#idleMs, this.#lifetimeMs);
    if (shortest === Number.POSITIVE_INFINITY) return;
    const now = performance.now();
    this.#watched.set(channel, { pipe, openedAt: now, activeAt: now, bytes: 0 });
    // A limit may be exceeded by a tenth.
    this.#timer ??= setInterval(() => this.#check(), Math.min(Math.max(shortest / 10, 10), maxTimerMs));
  }

  closed(channel: Channel): void {
    this.#watched.delete(channel);
    if (this.#watched.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #check(): void {
    const now = performance.now();
    for (const [channel, watched] of this.#watched) {
      const bytes = channel.counters.bytesIn + channel.counters.bytesOut;
      if (bytes !== watched.bytes) {
        watched.bytes = bytes;
        watched.activeAt = now;
      }
      if (now - watched.openedAt >= this.#lifetimeMs)
        abort(channel, watched, "the connection was open", this.#lifetimeMs);
      else if (now - watched.activeAt >= this.#idleMs) abort(channel, watched, "no byte passed", this.#idleMs);
    }
  }
}

function abort(channel: Channel, { pipe }: Watched, what: string, ms: number): void {
  const error = new SshError("timeout", `${what} for ${ms} ms, the limit of this forwarding`);
  channel.abort(error);
  // Otherwise a target that does not read would hold the rest.
  pipe?.abort(error);
}
