/** The runner: `npm run bench -- --help` @module */
import { writeFileSync } from "node:fs";
import { cpus, loadavg, release } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { run } from "../../integration/harness/process.ts";
import { missing } from "../../integration/harness/requirements.ts";
import { type Client, type ClientName, cipherFor, findClients, stop } from "./clients.ts";
import { findHosts, type HostName } from "./host/hosts.ts";
import { hostMetricNames, hostMetrics, measureHosts } from "./host/metrics.ts";
import { type Case, type Metric, takesPart } from "./metric.ts";
import { churn } from "./metrics-churn.ts";
import { bulk, eight, growth, roundTrip, short } from "./metrics-load.ts";
import { logins } from "./metrics-logins.ts";
import { memory } from "./metrics-memory.ts";
import { longWay, startUp } from "./metrics-start.ts";
import type { MicroRow } from "./micro.ts";
import { intoReadme, type Machine, report } from "./page.ts";
import { plotsOf, writePlots } from "./plots/plots.ts";
import type { Failure, Sample } from "./report.ts";
import { type Contest, progress, type Run, runRounds } from "./rounds.ts";
import { type Stage, startStage } from "./stage.ts";

const usage = `npm run bench [-- OPTIONS]
  --quick        less than five minutes: fewer ciphers, sizes and rounds
  --only NAME    a metric, a client or a host; "host" for all metrics of the host side; again or with commas for several;
                 "runtimes", alone, for browsers and other runtimes
  --nodes LIST   the main rows on versions of Node.js, such as 20,22,24,26
  --rounds N     the number of rounds; default 5, with --nodes 3, with "runtimes" 1, with --quick set by the metric
  --json FILE    all figures, not only the medians
  --readme       put the tables into bench/README.md, and the plots into bench/plots
  --profile DIR  write a CPU profile of each process of Postern; the figures are then not comparable
  --limit MIN    stop after MIN minutes; default 90, with --quick 5; the host side 8 or 2, --nodes 15, "runtimes" 10`;

const programs = dirname(fileURLToPath(import.meta.url));
const metrics: readonly Metric[] = [bulk, eight, roundTrip, short, startUp, memory, longWay, growth, logins, churn];
const clientNames: readonly ClientName[] = [
  "ssh",
  "autossh",
  "command",
  "postern",
  "postern-noble",
  "ssh2",
  "ssh2-js",
  "dev-tunnels",
  "relay",
  "floor",
];

const hostNames: readonly HostName[] = [
  "tunnelhost",
  "tunnelhost-workers",
  "sshd",
  "sshd-newer",
  "dropbear",
  "ssh2-server",
];

interface Options {
  readonly quick: boolean;
  readonly rounds: number | undefined;
  readonly json: string | undefined;
  readonly readme: boolean;
  readonly profiles: string | undefined;
  readonly limitMs: number;
  readonly isLimitGiven: boolean;
  readonly metrics: readonly Metric[];
  readonly micro: boolean;
  readonly clients: readonly ClientName[];
  /** The names of the metrics of the host side. */
  readonly hostMetrics: readonly string[];
  readonly hosts: readonly HostName[];
}

/** Runs the benchmark. `folder` is the folder of this package. */
export async function main(folder: string): Promise<void> {
  const options = readOptions();
  if (options === undefined) return;
  const lacking = missing("sshd", "ssh");
  if (process.platform !== "linux") throw new Error("the benchmark reads /proc, so it needs Linux");
  if (lacking !== undefined) throw new Error(lacking);
  const began = Date.now();
  const load = loadavg()[0] ?? 0;
  const found = await findClients(folder, join(programs, ".."));
  const clients = found.clients.filter(({ name }) => options.clients.includes(name));
  const foundHosts =
    options.hostMetrics.length > 0 ? findHosts(folder, join(programs, "..")) : { hosts: [], absent: [] };
  const host = {
    metrics: hostMetrics(options.hostMetrics, found.clients),
    hosts: foundHosts.hosts.filter(({ name }) => options.hosts.includes(name)),
  };
  for (const line of [...found.absent, ...foundHosts.absent]) progress(`not measured: ${line}`);
  const samples: Sample[] = [];
  const failures: Failure[] = [];
  const stage = await startStage(folder, programs, options.profiles);
  const interrupted = new AbortController();
  // The first Ctrl-C ends the run with the results so far.
  const interrupt = (): void => {
    if (interrupted.signal.aborted) process.exit(130);
    interrupted.abort();
  };
  process.on("SIGINT", interrupt);
  try {
    const until = began + options.limitMs;
    const figures: Run = {
      samples,
      failures,
      over: () =>
        interrupted.signal.aborted ? "interrupted" : Date.now() > until ? "the time limit is reached" : undefined,
    };
    await measureClients(stage, clients, options, figures);
    if (host.metrics.length > 0) await measureHosts(stage, programs, host, options, figures);
  } finally {
    await stage.stop();
    process.off("SIGINT", interrupt);
  }
  const micro: readonly MicroRow[] =
    options.micro && !interrupted.signal.aborted
      ? JSON.parse(await run(process.execPath, [join(programs, "micro.mjs"), options.quick ? "quick" : "whole"]))
      : [];
  const machine = await describeMachine(load);
  const seconds = Math.round((Date.now() - began) / 1000);
  const titles = Object.fromEntries([...found.clients, ...foundHosts.hosts].map(({ name, title }) => [name, title]));
  const plots = options.readme ? plotsOf({ samples, micro, titles }) : [];
  const common = { machine, seconds, samples, failures, plots, quick: options.quick };
  const reports: Record<string, string> = {};
  if (options.metrics.length > 0 || options.micro) {
    const versions = Object.fromEntries(found.clients.map(({ title, version }) => [title, version]));
    const bases = { names: ["ssh", "ssh2"], titles: "times `ssh -R`, times ssh2 with its binding" };
    const own = { versions, absent: found.absent, metrics: options.metrics, rows: clients, rowTitle: "Client", bases };
    reports.Figures = report({ ...common, ...own, micro });
  }
  if (host.metrics.length > 0) {
    const versions = Object.fromEntries(host.hosts.map(({ title, version }) => [title, version]));
    const bases = { names: ["sshd"], titles: "times sshd" };
    const own = {
      versions,
      absent: foundHosts.absent,
      metrics: host.metrics,
      rows: host.hosts,
      rowTitle: "Host",
      bases,
    };
    reports["Figures of the host"] = report({ ...common, ...own, micro: [] });
  }
  for (const text of Object.values(reports)) console.log(`${text}\n`);
  if (options.readme) {
    intoReadme(join(folder, "README.md"), reports);
    writePlots(join(folder, "plots"), plots);
  }
  if (options.json !== undefined) {
    const absent = [...found.absent, ...foundHosts.absent];
    writeFileSync(options.json, JSON.stringify({ machine, seconds, absent, samples, failures, micro }, undefined, 1));
  }
}

/** Runs the rounds of the metrics of clients. */
export async function measureClients(
  stage: Stage,
  clients: readonly Client[],
  options: Pick<Options, "quick" | "rounds" | "metrics">,
  run: Run,
): Promise<void> {
  const contest: Contest<Case, Client> = {
    metrics: options.metrics,
    rowsOf: (one) => clients.filter((client) => takesPart(one, client)),
    run: (one, client, put, signal) =>
      one.run({ ...stage, signal }, client, cipherFor(client, one.cipher) ?? one.cipher, put),
    async clear() {
      for (const process of stage.running) await stop(stage, process);
      await stage.reset();
    },
  };
  await runRounds(contest, options, run);
}

function readOptions(): Options | undefined {
  const { values } = parseArgs({
    options: {
      quick: { type: "boolean", default: false },
      only: { type: "string", multiple: true, default: [] },
      rounds: { type: "string" },
      json: { type: "string" },
      profile: { type: "string" },
      readme: { type: "boolean", default: false },
      limit: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  const names = [...metrics.map(({ name }) => name), "micro", ...hostMetricNames];
  if (values.help) {
    const lists = { metrics: names, clients: clientNames, hosts: hostNames };
    console.log([usage, ...Object.entries(lists).map(([what, list]) => `${what}: ${list.join(", ")}`)].join("\n"));
    return undefined;
  }
  const only = values.only
    .flatMap((one) => one.split(","))
    .flatMap((name) => (name === "host" ? hostMetricNames : name));
  const known: readonly string[] = [...names, ...clientNames, ...hostNames];
  const unknown = only.find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw new Error(`expected --only to name a metric, a client or a host, got '${unknown}'; see --help`);
  const chosen = names.filter((name) => only.includes(name));
  const chosenMetrics = chosen.length > 0 ? chosen : names;
  const chosenClients = clientNames.filter((name) => only.includes(name));
  const chosenHosts = hostNames.filter((name) => only.includes(name));
  return {
    quick: values.quick,
    rounds: values.rounds === undefined ? undefined : natural("rounds", values.rounds),
    json: values.json,
    readme: values.readme,
    profiles: values.profile === undefined ? undefined : resolve(values.profile),
    limitMs: natural("limit", values.limit ?? (values.quick ? "5" : "90")) * 60_000 - (values.quick ? 20_000 : 0),
    isLimitGiven: values.limit !== undefined,
    metrics: metrics.filter(({ name }) => chosenMetrics.includes(name)),
    micro: chosenMetrics.includes("micro"),
    clients: chosenClients.length > 0 ? chosenClients : clientNames,
    hostMetrics: hostMetricNames.filter((name) => chosenMetrics.includes(name)),
    hosts: chosenHosts.length > 0 ? chosenHosts : hostNames,
  };
}

export function natural(name: string, text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value > 0) return value;
  throw new Error(`expected --${name} to be a positive integer, got '${text}'`);
}

async function describeMachine(load: number): Promise<Machine> {
  return {
    date: new Date().toISOString().slice(0, 10),
    processor: cpus()[0]?.model ?? "?",
    cores: cpus().length,
    system: `Linux ${release()}`,
    node: process.version,
    sshd:
      (await run("sh", ["-c", "$(command -v sshd || echo /usr/sbin/sshd) -V 2>&1 || true"])).match(
        /OpenSSH_[^\s,]+/,
      )?.[0] ?? "?",
    load,
  };
}
