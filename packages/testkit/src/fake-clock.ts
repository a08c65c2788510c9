/** A clock that stands still until a test moves it. @module */
import { SshError } from "@postern/wire";

/** A clock and the timers that hang on it. */
export interface FakeClock {
  /** milliseconds, from where the test put the start */
  now(): number;
  /** Calls `run` once when the time `at` comes, during {@link advance}. The function it gives cancels that. */
  setTimer(at: number, run: () => void): () => void;
  /**
   * Moves the time on. Timers run in the order of their times, those of one time in the order they were set; each sees its own
   * time as `now()`, and one that is set meanwhile runs too when it falls due.
   */
  advance(ms: number): void;
  /** how many timers wait: 0 shows that nothing was left behind */
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
        // A timer for a time that has passed runs late, not in the past.
        time = Math.max(time, due.at);
        due.run();
      }
      time = until;
    },
  };
}
