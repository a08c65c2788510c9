/** All metrics of the host side, and their rounds. @module */
import { type Client, cipherFor } from "../clients.ts";
import type { Settings } from "../metric.ts";
import { clockMs } from "../orders.ts";
import { type Contest, type Run, runRounds } from "../rounds.ts";
import type { Stage } from "../stage.ts";
import { createHostStage, type HostCase, type HostMetric, hostTakesPart } from "./host-stage.ts";
import type { Host } from "./hosts.ts";
import { hostBeside, hostMemory, hostVisitors } from "./load.ts";
import { hostLists, hostLogins, hostOpen } from "./logins.ts";
import { streamMetrics } from "./streams.ts";

/** The names of the metrics, in the order of the report. */
export const hostMetricNames = [
  "host-bulk",
  "host-eight",
  "host-64",
  "host-beside",
  "host-visitors",
  "host-logins",
  "host-open",
  "host-lists",
  "host-memory",
] as const;

/** Returns the metrics with these names. The clients `ssh` and `postern` are the load. */
export function hostMetrics(names: readonly string[], clients: readonly Client[]): readonly HostMetric[] {
  const [ssh, postern] = ["ssh", "postern"].map((wanted) => clients.find(({ name }) => name === wanted));
  if (ssh === undefined || postern === undefined) return [];
  const all: readonly HostMetric[] = [
    ...streamMetrics(ssh, postern),
    hostBeside(ssh),
    hostVisitors(postern),
    hostLogins,
    hostOpen([ssh, postern]),
    hostLists,
    hostMemory,
  ];
  return all.filter(({ name }) => names.includes(name));
}

/** The host side ends after this time, unless a limit is given. */
const limitMs = { quick: 110_000, full: 470_000 };

/** Runs the rounds of the host side. */
export async function measureHosts(
  stage: Stage,
  programs: string,
  { metrics, hosts }: { readonly metrics: readonly HostMetric[]; readonly hosts: readonly Host[] },
  options: Settings & { readonly rounds: number | undefined; readonly isLimitGiven: boolean },
  run: Run,
): Promise<void> {
  const { quick } = options;
  const hostStage = createHostStage(stage, programs);
  const contest: Contest<HostCase, Host> = {
    metrics,
    rowsOf: (one) => hosts.filter((host) => hostTakesPart(one, host)),
    run: (one, host, put, signal) =>
      one.run({ ...hostStage, stage: { ...stage, signal } }, host, cipherFor(host, one.cipher) ?? one.cipher, put),
    clear: () => hostStage.clear(),
  };
  const until = options.isLimitGiven ? Number.POSITIVE_INFINITY : clockMs() + (quick ? limitMs.quick : limitMs.full);
  const over = (): string | undefined =>
    run.over() ?? (clockMs() > until ? "the time limit of the host side is reached" : undefined);
  try {
    await runRounds(contest, options, { ...run, over });
  } finally {
    hostStage.stop();
  }
}
