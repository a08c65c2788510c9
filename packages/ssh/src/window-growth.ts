/** Receive windows. All windows of a connection share one budget; on a slow link they grow. @module */
import * as Limits from "@postern/wire/limits";

/**
 * The shortest round trip of a connection. A delayed acknowledgement may lengthen a sample, so several are needed
 * before the link counts as slow.
 */
export class RoundTrip {
  #shortest = Number.POSITIVE_INFINITY;
  #samples = 0;

  /** Adds a sample in milliseconds. */
  add(ms: number): void {
    this.#samples++;
    this.#shortest = Math.min(this.#shortest, ms);
  }

  /** Whether more samples are needed. */
  get needsSamples(): boolean {
    return this.#samples < Limits.roundTrips;
  }

  /** The shortest sample in milliseconds, if the link is known to be slow. */
  get long(): number | undefined {
    return !this.needsSamples && this.#shortest >= Limits.longRoundTripMs ? this.#shortest : undefined;
  }
}

/**
 * The memory of all receive windows of a connection: data that the peer may send or that the program has not read. A
 * minimum window is reserved for each channel. The rest is shared: a new channel gets a part of the free memory, and
 * a busy one grows or shrinks to an equal share.
 */
export class WindowBudget {
  readonly #least: number;
  readonly #shared: number;
  #free: number;
  /** bytes by which windows may still grow beyond `Limits.window` */
  #growth: number = Limits.windowGrowth;
  #channels = 0;

  constructor(bytes: number) {
    this.#least = Math.min(Limits.leastWindow, Math.floor(bytes / (4 * Limits.channels)));
    this.#shared = bytes - this.#least * Limits.channels;
    this.#free = this.#shared;
  }

  /** The equal share of each channel. */
  get share(): number {
    return this.#least + Math.floor(this.#shared / Math.max(1, this.#channels));
  }

  /** Adds a channel. Returns its first window: `fixed`, or the size that the budget allows. */
  open(fixed?: number): number {
    this.#channels++;
    // An advertised window cannot be revoked (RFC 4254 section 5.2), so part of the budget is kept for later channels.
    const part = Math.floor(Math.max(0, this.#free) / this.#channels);
    const window = fixed ?? Math.min(Limits.window, this.#least + part);
    this.#free -= window - this.#least;
    return window;
  }

  /** Changes the size of a window. Returns the size that the budget allows. */
  resize(from: number, to: number): number {
    const grown = Math.max(from, Limits.window);
    const size = Math.min(to, from + Math.max(0, this.#free), grown + this.#growth);
    const result = to > from ? Math.max(from, size) : to;
    this.#free -= result - from;
    this.#growth -= Math.max(0, result - Limits.window) - Math.max(0, from - Limits.window);
    return result;
  }

  /** Removes a channel with this window. `held` bytes of it stay reserved for the consumer until `release`. */
  close(window: number, held: number): void {
    if (held === 0) this.#channels--;
    this.resize(window, Math.min(window, Limits.window));
    this.#free += Math.min(window, Limits.window) - this.#least - held;
  }

  /** Frees bytes of a closed channel that were read or dropped. The channel counts until the last of them is. */
  release(bytes: number, isLast: boolean): void {
    this.#free += bytes;
    if (isLast) this.#channels--;
  }
}

/**
 * The receive window of one channel: computes the credit for consumed bytes. A window limits throughput to one window
 * per round trip. If that much was delivered and the consumer kept up, the window was the bottleneck, and it doubles.
 * After a pause it returns to the usual size.
 */
export class WindowGrowth {
  /** bytes that the peer may send, plus bytes that the program has not read */
  size: number;
  readonly #budget: WindowBudget;
  readonly #roundTrip: () => number | undefined;
  readonly #fixed: boolean;
  #held = 0;
  /** the size that the window shrinks to after a pause, by withholding credit */
  #goal: number | undefined;
  /** bytes delivered since `#since`, the start of the measurement */
  #bytes = 0;
  #since: number | undefined;
  /** milliseconds since `#since` during which the consumer was behind */
  #behindMs = 0;
  /** if the consumer is behind: the time up to which `#behindMs` counts */
  #behind: number | undefined;
  #last = 0;

  /**
   * @param roundTrip returns milliseconds if the link is slow; called only after a window's worth of bytes
   * @param fixed the size of a window that neither grows nor shrinks
   */
  constructor(budget: WindowBudget, roundTrip: () => number | undefined, fixed?: number) {
    this.#budget = budget;
    this.#roundTrip = roundTrip;
    this.#fixed = fixed !== undefined;
    this.size = budget.open(fixed);
  }

  /**
   * Returns the credit for `size` bytes: the same, more to grow, or less to shrink. `keepsUp`: the consumer has read
   * everything.
   */
  credit(size: number, now: number, keepsUp: boolean): number {
    if (this.#fixed) return size;
    const { share } = this.#budget;
    const usual = Math.min(Limits.window, share);
    if (now - this.#last > Limits.windowIdleMs) this.#goal = usual;
    this.#last = now;
    const goal = Math.min(share, this.#goal ?? share);
    if (this.size > goal) {
      this.#since = undefined;
      return this.#resize(size, Math.max(goal, this.size - size));
    }
    this.#goal = undefined;
    // The window was small because there were many channels. A busy channel gets its share.
    if (this.size < usual) return this.#resize(size, Math.min(usual, 2 * this.size));
    return this.#grow(size, now, keepsUp, Math.min(Limits.largestWindow, share));
  }

  /** The channel is closed, and `held` bytes of it wait for the consumer. */
  end(held: number): void {
    this.#held = held;
    this.#budget.close(this.size, held);
  }

  /** Frees bytes of the closed channel that were read or dropped. Default: all that are left. */
  release(bytes: number = this.#held): void {
    if (this.#held === 0) return;
    this.#held -= bytes;
    this.#budget.release(bytes, this.#held === 0);
  }

  #grow(size: number, now: number, keepsUp: boolean, largest: number): number {
    if (this.#since === undefined) this.#begin(now);
    else this.#bytes += size;
    if (this.#behind !== undefined) this.#behindMs += now - this.#behind;
    this.#behind = keepsUp ? undefined : now;
    const window = this.size;
    if (!keepsUp || this.#bytes < window / 2 || window >= largest) return size;
    const roundTripMs = this.#roundTrip();
    const elapsed = now - (this.#since ?? now);
    if (elapsed < (roundTripMs ?? 0)) return size;
    // A short delay to write a burst is normal. A longer one means that the consumer is slow.
    const limited = roundTripMs !== undefined && (this.#bytes * roundTripMs) / elapsed >= 0.7 * window;
    const keptUp = this.#behindMs <= elapsed / 4;
    this.#begin(now);
    return limited && keptUp ? this.#resize(size, Math.min(2 * window, largest)) : size;
  }

  #begin(now: number): void {
    this.#bytes = 0;
    this.#behindMs = 0;
    this.#since = now;
  }

  /** Returns the credit for `size` bytes that changes the window to a new size, as far as the budget allows. */
  #resize(size: number, to: number): number {
    const from = this.size;
    this.size = this.#budget.resize(from, to);
    return size + this.size - from;
  }
}
