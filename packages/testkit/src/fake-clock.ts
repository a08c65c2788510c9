/** A clock that advances only when a test says so. @module */
import { SshError } from "@postern/wire";

/** A clock and its timers. */
export interface FakeClock {
  /** The time in milliseconds, counted from `start`. */
  now(): number;
  /** Calls `run` once at the time `at`, during {@link advance}. Returns a function that cancels the timer. */
  setTimer(at: number, run: () => void): () => void;
  /**
   * Advances the time. Timers run in the order of their times, and those of the same time in the order they were set.
   * Each sees its own time as `now()`. A timer that is set meanwhile runs too if it is due.
   */
  advance(ms: number): void;
  /** The number of timers that have not run. */
  readonly pending: number;
}

/**
 * @example
 * const clock = fakeClock();
 * clock.setTimer(clock.now() + 30_000, () => keepAlive());
 * clock.advance(30_000);
 */
export function fakeClock(start = 0): FakeClock {
  let time = start;
  let timers: { readonly at: number; readonly run: () => void }[] = [];
  return {
    now: () => time,
    get pending() {
      return timers.length;
    },
    setTimer(at, run) {
      const timer = { at, run };
      timers.push(timer);
      return () => {
        timers = timers.filter((other) => other !== timer);
      };
    },
    advance(ms) {
      if (!(ms >= 0)) throw new SshError("misuse", `expected milliseconds to advance, got ${ms}`);
      const until = time + ms;
      for (;;) {
        const due = timers.reduce<(typeof timers)[number] | undefined>(
          (first, timer) => (timer.at <= until && timer.at < (first?.at ?? Number.POSITIVE_INFINITY) ? timer : first),
          undefined,
        );
        if (!due) break;
        timers = timers.filter((other) => other !== due);
        // A timer set for the past runs now: time does not go backwards.
        time = Math.max(time, due.at);
        due.run();
      }
      time = until;
    },
  };
}
