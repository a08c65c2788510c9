/** Keepalive as a timer and a counter. The owner reports the time and the input. @module */

/** When a silent peer is probed, and when it counts as lost. */
export interface KeepAliveOptions {
  /** milliseconds of silence before a request is sent; 0 turns keepalive off */
  readonly intervalMs: number;
  /** how many requests may stay unanswered */
  readonly countMax: number;
}

/** The time limit for an answer of the peer after our machine slept. */
const afterSleepMs = 10_000;

/** Decides when to probe the peer and when it is lost. Any input counts as an answer. */
export class KeepAlive {
  /** the time of the last input */
  receivedAt: number;
  /** the time at which `tick` is due */
  deadline: number;
  readonly #options: KeepAliveOptions;
  #missed = 0;
  /** The machine slept: if nothing arrives until the next deadline, the peer is lost. */
  #decisive = false;
  /**
   * The last input came long after the deadline. It may have been in a buffer while the machine slept, so it does not
   * prove that the peer is alive.
   */
  #receivedLate = false;
  #now: number;
  #wall: number;

  /** @param now milliseconds on a monotonic clock @param wall milliseconds of wall-clock time */
  constructor(options: KeepAliveOptions, now: number, wall: number) {
    this.#options = options;
    this.receivedAt = now;
    this.deadline = now + options.intervalMs;
    this.#now = now;
    this.#wall = wall;
  }

  /** Records input from the peer. */
  received(now: number): void {
    if (now - this.deadline > this.#options.intervalMs) this.#receivedLate = true;
    this.receivedAt = now;
    this.#missed = 0;
    this.#decisive = false;
    this.deadline = now + this.#options.intervalMs;
  }

  /** Sets the time. Returns `probe` to send a request, `lost` to end the connection. */
  tick(now: number, wall: number): "probe" | "lost" | undefined {
    const { intervalMs, countMax } = this.#options;
    // A monotonic clock may stop while the machine sleeps; the wall clock does not.
    const late = Math.max(wall - this.#wall - (now - this.#now), now - this.deadline);
    this.#now = now;
    this.#wall = wall;
    // If the machine woke only briefly and slept again before the peer could answer, probe again.
    const slept = this.#receivedLate || late > (this.#decisive ? Math.max(intervalMs, afterSleepMs) : intervalMs);
    if (slept) {
      this.#receivedLate = false;
      this.#decisive = true;
      this.deadline = now + afterSleepMs;
      return "probe";
    }
    if (now < this.deadline) return undefined;
    if (this.#decisive || this.#missed >= countMax) return "lost";
    this.#missed++;
    this.deadline = now + intervalMs;
    return "probe";
  }
}
