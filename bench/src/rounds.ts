/** The rounds of a run: each runs every case once for every row, and starts with another row. @module */
import { setTimeout as sleep } from "node:timers/promises";
import type { Put, Settings } from "./metric.ts";
import type { Failure, Row, Sample } from "./report.ts";

/** A case, without the function that runs it. */
export interface TimedCase {
  readonly title: string;
  readonly timeoutMs?: number;
  /** The maximum number of rounds of this case. */
  readonly most?: number;
}

/** A metric of clients or of hosts. */
export interface MetricOf<C extends TimedCase> {
  readonly name: string;
  readonly title: string;
  /** Rounds in a quick run, and the maximum in a full run. */
  readonly rounds: { readonly quick: number; readonly most: number };
  cases(settings: Settings): readonly C[];
}

/** The compared rows, and how a case of one of them runs. */
export interface Contest<C extends TimedCase, R extends Row> {
  readonly metrics: readonly MetricOf<C>[];
  rowsOf(one: C): readonly R[];
  /** `signal` aborts once the case is given up. */
  run(one: C, row: R, put: Put, signal: AbortSignal): Promise<void>;
  /** Ends whatever a failed case has left. */
  clear(): Promise<void>;
}

export interface Run {
  readonly samples: Sample[];
  readonly failures: Failure[];
  /** The reason to stop. */
  readonly over: () => string | undefined;
}

/** Runs the rounds of a contest. */
export async function runRounds<C extends TimedCase, R extends Row>(
  contest: Contest<C, R>,
  options: Settings & { readonly rounds: number | undefined },
  run: Run,
): Promise<void> {
  const roundsOf = ({ rounds }: MetricOf<C>): number =>
    options.quick ? (options.rounds ?? rounds.quick) : Math.min(options.rounds ?? 5, rounds.most);
  const roundsOfCase = ({ most = Number.POSITIVE_INFINITY }: C): number =>
    options.quick ? (options.rounds ?? most) : most;
  const rounds = Math.max(0, ...contest.metrics.map(roundsOf));
  for (let round = 0; round < rounds; round++) {
    for (const metric of contest.metrics) {
      if (round >= roundsOf(metric)) continue;
      for (const one of metric.cases(options)) {
        if (round >= roundsOfCase(one)) continue;
        for (const row of rotated(contest.rowsOf(one), round)) {
          const over = run.over();
          if (over !== undefined) return progress(`${over}: what follows is left out`);
          progress(`round ${round + 1}/${rounds}: ${metric.name}, ${one.title}, ${row.title}`);
          await measure(contest, metric, one, row, round, run);
        }
      }
    }
  }
}

function rotated<T>(list: readonly T[], by: number): T[] {
  return list.map((_, i) => list[(i + by) % list.length] as T);
}

async function measure<C extends TimedCase, R extends Row>(
  contest: Contest<C, R>,
  metric: MetricOf<C>,
  one: C,
  row: R,
  round: number,
  run: Run,
): Promise<void> {
  const where = { metric: metric.name, case: one.title, client: row.name, round };
  const [timeout, givenUp] = [new AbortController(), new AbortController()];
  const put: Put = (column, value, digits = 0) => run.samples.push({ ...where, column, value, digits });
  try {
    await Promise.race([
      contest.run(one, row, put, givenUp.signal),
      sleep(one.timeoutMs ?? 40_000, undefined, { signal: timeout.signal }).then(() => {
        throw new Error("it took too long");
      }),
    ]);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    run.failures.push({ ...where, reason });
    progress(`  failed: ${reason}`);
    givenUp.abort();
    await contest.clear();
  } finally {
    timeout.abort();
  }
}

/** Prints a line about the run, with the seconds since its start. */
export function progress(text: string): void {
  process.stderr.write(`${process.uptime().toFixed(0).padStart(4)} s  ${text}\n`);
}
