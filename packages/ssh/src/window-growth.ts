/** Receive windows that grow on a long link, and on no other. @module */
import { Limits } from "@postern/wire";

/**
 * The shortest round trip of a connection. One sample may be held up by somebody's delayed acknowledgement, so that several are needed
 * before the link counts as long.
 */
export class RoundTrip {
  #shortest = Number.POSITIVE_INFINITY;
  #samples = 0;

  /** Milliseconds from a question to its answer. */
  add(ms: number): void {
    this.#samples++;
    this.#shortest = Math.min(this.#shortest, ms);
  }

  /** Whether a further sample would be of use. */
  get wanted(): boolean {
    return this.#samples < Limits.roundTrips;
  }

  /** The shortest so far in milliseconds, when the link is known to be long. */
  get long(): number | undefined {
    return !this.wanted && this.#shortest >= Limits.longRoundTripMs ? this.#shortest : undefined;
  }
}

/**
 * The first window of a channel that is opened beside so many others. The peer may fill them all, so that many channels get less each:
 * all windows of a connection together stay within a few times `Limits.windows`.
 */
export function firstWindow(channels: number): number {
  const share = Math.floor(Limits.windows / (2 * (channels + 1)));
  return Math.min(Limits.window, Math.max(Limits.maxPacket, share));
}

/** What all channels of a connection may add to their first windows together. */
export class WindowBudget {
  #left: number;

  constructor(bytes: number) {
    this.#left = bytes;
  }

  /** Whether there is anything left. */
  get open(): boolean {
    return this.#left > 0;
  }

  /** Gives at most what is left. */
  take(bytes: number): number {
    const taken = Math.min(bytes, this.#left);
    this.#left -= taken;
    return taken;
  }

  give(bytes: number): void {
    this.#left += bytes;
  }
}

/**
 * Says how much credit goes with bytes that were consumed. A window limits a link to one window a round trip: when so much was
 * delivered, and the consumer kept up, the window was the limit, and it doubles. After a pause it goes back to its first size.
 */
export class WindowGrowth {
  readonly #first: number;
  readonly #budget: WindowBudget;
  readonly #roundTrip: () => number | undefined;
  #extra = 0;
  /** extra that is taken back by giving no credit */
  #excess = 0;
  /** bytes delivered since then */
  #bytes = 0;
  #since: number | undefined;
  /** how long the consumer was behind since then, and since when it is */
  #behindMs = 0;
  #behind: number | undefined;
  #last = 0;

  /** @param roundTrip milliseconds when the link is long; asked for only when a window's worth of bytes has come */
  constructor(first: number, budget: WindowBudget, roundTrip: () => number | undefined) {
    this.#first = first;
    this.#budget = budget;
    this.#roundTrip = roundTrip;
  }

  /** The credit for `size` bytes: as much, more to grow, or less to shrink. `keepsUp`: the consumer has taken all that came. */
  credit(size: number, now: number, keepsUp: boolean): number {
    if (this.#extra > 0 && now - this.#last > Limits.windowIdleMs) this.#excess = this.#extra;
    this.#last = now;
    if (this.#excess > 0) return this.#shrink(size);
    if (this.#since === undefined) this.#begin(now);
    else this.#bytes += size;
    if (this.#behind !== undefined) this.#behindMs += now - this.#behind;
    this.#behind = keepsUp ? undefined : now;
    const window = this.#first + this.#extra;
    if (!keepsUp || this.#bytes < window / 2 || !this.#budget.open) return size;
    const roundTripMs = this.#roundTrip();
    const elapsed = now - (this.#since ?? now);
    if (elapsed < (roundTripMs ?? 0)) return size;
    // A window limits a link to one window a round trip. What came in one burst may take a moment to be written; more than that is a slow consumer.
    const limited = roundTripMs !== undefined && (this.#bytes * roundTripMs) / elapsed >= 0.7 * window;
    const keptUp = this.#behindMs <= elapsed / 4;
    this.#begin(now);
    if (!limited || !keptUp) return size;
    const more = this.#budget.take(Math.min(window, Math.max(0, Limits.largestWindow - window)));
    this.#extra += more;
    return size + more;
  }

  #begin(now: number): void {
    this.#bytes = 0;
    this.#behindMs = 0;
    this.#since = now;
  }

  /** The channel is gone. */
  end(): void {
    this.#budget.give(this.#extra);
    this.#extra = 0;
    this.#excess = 0;
  }

  #shrink(size: number): number {
    const kept = Math.min(size, this.#excess);
    this.#excess -= kept;
    this.#extra -= kept;
    this.#budget.give(kept);
    this.#since = undefined;
    return size - kept;
  }
}
