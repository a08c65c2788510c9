/** Receive windows: all of a connection draw from one budget, and on a long link they grow. @module */
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
 * The memory of all receive windows of a connection: what the peer may still send, and what it sent that nobody has taken. Each channel can
 * rely on a least window, reserved from the start. The rest is shared: a new channel takes a part of what is free, a busy one
 * grows or shrinks to an equal share.
 */
export class WindowBudget {
  readonly #least: number;
  readonly #shared: number;
  #free: number;
  /** what windows may still grow beyond `Limits.window` */
  #growth: number = Limits.windowGrowth;
  #channels = 0;

  constructor(bytes: number) {
    this.#least = Math.min(Limits.leastWindow, Math.floor(bytes / (4 * Limits.channels)));
    this.#shared = bytes - this.#least * Limits.channels;
    this.#free = this.#shared;
  }

  /** An equal share of all channels. */
  get share(): number {
    return this.#least + Math.floor(this.#shared / Math.max(1, this.#channels));
  }

  /** A channel opens. Returns its first window: `fixed`, or what the budget allows. */
  open(fixed?: number): number {
    this.#channels++;
    // An advertised window cannot be taken back (RFC 4254 section 5.2), so something always stays free for later channels.
    const part = Math.floor(Math.max(0, this.#free) / this.#channels);
    const window = fixed ?? Math.min(Limits.window, this.#least + part);
    this.#free -= window - this.#least;
    return window;
  }

  /** A window is to change its size. Returns the size that the budget allows. */
  resize(from: number, to: number): number {
    const grown = Math.max(from, Limits.window);
    const size = Math.min(to, from + Math.max(0, this.#free), grown + this.#growth);
    const result = to > from ? Math.max(from, size) : to;
    this.#free -= result - from;
    this.#growth -= Math.max(0, result - Limits.window) - Math.max(0, from - Limits.window);
    return result;
  }

  /** A channel of that window is gone; `held` bytes of it wait for the consumer until `release`. */
  close(window: number, held: number): void {
    if (held === 0) this.#channels--;
    this.resize(window, Math.min(window, Limits.window));
    this.#free += Math.min(window, Limits.window) - this.#least - held;
  }

  /** Bytes of a channel that is gone were taken or dropped; it counts until the last of them is. */
  release(bytes: number, isLast: boolean): void {
    this.#free += bytes;
    if (isLast) this.#channels--;
  }
}

/**
 * The receive window of one channel: says how much credit goes with bytes that were consumed. A window limits a link to one window a round trip:
 * when so much was delivered, and the consumer kept up, the window was the limit, and it doubles. After a pause it goes back to the usual size.
 */
export class WindowGrowth {
  readonly #budget: WindowBudget;
  readonly #roundTrip: () => number | undefined;
  readonly #fixed: boolean;
  #size: number;
  #held = 0;
  /** the size that the window shrinks to after a pause, by giving no credit */
  #goal: number | undefined;
  /** bytes delivered since then */
  #bytes = 0;
  #since: number | undefined;
  /** how long the consumer was behind since then, and since when it is */
  #behindMs = 0;
  #behind: number | undefined;
  #last = 0;

  /**
   * @param roundTrip milliseconds when the link is long; asked for only when a window's worth of bytes has come
   * @param fixed the size of a window that neither grows nor shrinks
   */
  constructor(budget: WindowBudget, roundTrip: () => number | undefined, fixed?: number) {
    this.#budget = budget;
    this.#roundTrip = roundTrip;
    this.#fixed = fixed !== undefined;
    this.#size = budget.open(fixed);
  }

  /** What the peer may send, together with what it sent that nobody has taken. */
  get size(): number {
    return this.#size;
  }

  /** The credit for `size` bytes: as much, more to grow, or less to shrink. `keepsUp`: the consumer has taken all that came. */
  credit(size: number, now: number, keepsUp: boolean): number {
    if (this.#fixed) return size;
    const { share } = this.#budget;
    const usual = Math.min(Limits.window, share);
    if (now - this.#last > Limits.windowIdleMs) this.#goal = usual;
    this.#last = now;
    const goal = Math.min(share, this.#goal ?? share);
    if (this.#size > goal) {
      this.#since = undefined;
      return this.#resize(size, Math.max(goal, this.#size - size));
    }
    this.#goal = undefined;
    // Opened beside many others: whoever takes what comes gets its share.
    if (this.#size < usual) return this.#resize(size, Math.min(usual, 2 * this.#size));
    return this.#grow(size, now, keepsUp, Math.min(Limits.largestWindow, share));
  }

  /** The channel is gone; so many bytes of it wait for the consumer. */
  end(held: number): void {
    this.#held = held;
    this.#budget.close(this.#size, held);
  }

  /** Bytes that outlived the channel were taken or dropped: so many, or all that are left. */
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
    const window = this.#size;
    if (!keepsUp || this.#bytes < window / 2 || window >= largest) return size;
    const roundTripMs = this.#roundTrip();
    const elapsed = now - (this.#since ?? now);
    if (elapsed < (roundTripMs ?? 0)) return size;
    // A window limits a link to one window a round trip. What came in one burst may take a moment to be written; more than that is a slow consumer.
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

  /** The credit for `size` bytes that brings the window to a new size, as far as the budget allows. */
  #resize(size: number, to: number): number {
    const from = this.#size;
    this.#size = this.#budget.resize(from, to);
    return size + this.#size - from;
  }
}
