/** Keepalive: a timer and a counter, never an awaited call. It is told the time and what was heard. @module */

/** When a peer that says nothing is asked, and when it is given up. */
export interface KeepAliveOptions {
  /** milliseconds of silence before it is asked; 0 turns keepalive off */
  readonly intervalMs: number;
  /** how many questions may stay without an answer */
  readonly countMax: number;
}

/** After the machine slept: how long the peer has to show that it is still there. */
const afterSleepMs = 10_000;

/** Decides when to ask the peer and when to give it up. Any inbound byte counts as an answer. */
export class KeepAlive {
  readonly #options: KeepAliveOptions;
  #heardAt: number;
  #missed = 0;
  #due: number;
  /** the machine slept: the next time it is due decides */
  #decisive = false;
  /** the first thing that was heard came long after something was due: it may have waited in a buffer while the machine slept */
  #heardLate = false;
  #now: number;
  #wall: number;

  /** @param now milliseconds on a monotonic clock @param wall milliseconds on the clock on the wall */
  constructor(options: KeepAliveOptions, now: number, wall: number) {
    this.#options = options;
    this.#heardAt = now;
    this.#due = now + options.intervalMs;
    this.#now = now;
    this.#wall = wall;
  }

  /** When `tick` is due. */
  get deadline(): number {
    return this.#due;
  }

  /** When something was heard last. */
  get heardAt(): number {
    return this.#heardAt;
  }

  /** Bytes came in. */
  heard(now: number): void {
    if (now - this.#due > this.#options.intervalMs) this.#heardLate = true;
    this.#heardAt = now;
    this.#missed = 0;
    this.#decisive = false;
    this.#due = now + this.#options.intervalMs;
  }

  /** Tells the time. `probe`: ask the peer; `lost`: give it up. */
  tick(now: number, wall: number): "probe" | "lost" | undefined {
    const { intervalMs, countMax } = this.#options;
    // A monotonic clock may stand still while the machine sleeps, and then only the other one knows.
    const late = Math.max(wall - this.#wall - (now - this.#now), now - this.#due);
    this.#now = now;
    this.#wall = wall;
    // A machine that wakes for a moment only, and sleeps again before the peer could answer, is to ask once more.
    const slept = this.#heardLate || late > (this.#decisive ? Math.max(intervalMs, afterSleepMs) : intervalMs);
    if (slept) {
      this.#heardLate = false;
      this.#decisive = true;
      this.#due = now + afterSleepMs;
      return "probe";
    }
    if (now < this.#due) return undefined;
    if (this.#decisive || this.#missed >= countMax) return "lost";
    this.#missed++;
    this.#due = now + intervalMs;
    return "probe";
  }
}
