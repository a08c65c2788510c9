/** The runner: `npm run bench -- --help` @module */
import { writeFileSync } from "node:fs";
import { cpus, loadavg, release } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { run } from "../../integration/harness/process.ts";
import { missing } from "../../integration/harness/requirements.ts";
import { type Client, type ClientName, cipherFor, findClients, stop } from "./clients.ts";
import { type Case, type Metric, takesPart } from "./metric.ts";
import { churn } from "./metrics-churn.ts";
import { bulk, eight, growth, roundTrip, short } from "./metrics-load.ts";
import { memory } from "./metrics-memory.ts";
import { longWay, startUp } from "./metrics-start.ts";
import type { MicroRow } from "./micro.ts";
import { type Failure, markdown, type Sample, table } from "./report.ts";
import { type Contest, progress, type Run, runRounds } from "./rounds.ts";
import { replaceSection } from "./section.ts";
import { type Stage, startStage } from "./stage.ts";

const usage = `npm run bench [-- OPTIONS]
  --quick        less than three minutes: fewer ciphers, sizes and rounds
  --only NAME    a metric or a client; again or with commas for several; runtimes alone for browsers and other runtimes
  --nodes LIST   the main rows on versions of Node.js, such as 20,22,24,26; three rounds
  --rounds N     the number of rounds; default 5, with --quick set by the metric
  --json FILE    all figures, not only the medians
  --readme       put the tables into bench/README.md
  --profile DIR  write a CPU profile of each process of Postern; the figures are then not comparable
  --limit MIN    stop after MIN minutes; default 90, with --quick 3`;

const programs = dirname(fileURLToPath(import.meta.url));
const metrics: readonly Metric[] = [bulk, eight, roundTrip, short, startUp, memory, longWay, growth, churn];
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

interface Options {
  readonly quick: boolean;
  readonly rounds: number | undefined;
  readonly json: string | undefined;
  readonly readme: boolean;
  readonly profiles: string | undefined;
  readonly limitMs: number;
  readonly metrics: readonly Metric[];
  readonly micro: boolean;
  readonly clients: readonly ClientName[];
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
  for (const line of found.absent) progress(`not measured: ${line}`);
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
    await measureClients(stage, clients, options, {
      samples,
      failures,
      over: () =>
        interrupted.signal.aborted ? "interrupted" : Date.now() > until ? "the time limit is reached" : undefined,
    });
  } finally {
    await stage.stop();
    process.off("SIGINT", interrupt);
  }
  const micro: readonly MicroRow[] =
    options.micro && !interrupted.signal.aborted
      ? JSON.parse(await run(process.execPath, [join(programs, "micro.mjs"), options.quick ? "quick" : "whole"]))
      : [];
  const machine = await describeMachine(found.clients, load);
  const seconds = Math.round((Date.now() - began) / 1000);
  const text = report({ machine, seconds, samples, failures, micro, clients, absent: found.absent, options });
  console.log(text);
  if (options.readme) replaceSection(join(folder, "README.md"), "Figures", text);
  if (options.json !== undefined) {
    writeFileSync(
      options.json,
      JSON.stringify({ machine, seconds, absent: found.absent, samples, failures, micro }, undefined, 1),
    );
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
  const names = [...metrics.map(({ name }) => name), "micro"];
  if (values.help) {
    console.log(`${usage}\nmetrics: ${names.join(", ")}\nclients: ${clientNames.join(", ")}`);
    return undefined;
  }
  const only = values.only.flatMap((one) => one.split(","));
  const unknown = only.find((name) => !names.includes(name) && !clientNames.includes(name as ClientName));
  if (unknown !== undefined)
    throw new Error(`expected --only to name a metric or a client, got '${unknown}'; see --help`);
  const chosen = names.filter((name) => only.includes(name));
  const chosenMetrics = chosen.length > 0 ? chosen : names;
  const chosenClients = clientNames.filter((name) => only.includes(name));
  return {
    quick: values.quick,
    rounds: values.rounds === undefined ? undefined : natural("rounds", values.rounds),
    json: values.json,
    readme: values.readme,
    profiles: values.profile === undefined ? undefined : resolve(values.profile),
    limitMs: natural("limit", values.limit ?? (values.quick ? "3" : "90")) * 60_000 - (values.quick ? 20_000 : 0),
    metrics: metrics.filter(({ name }) => chosenMetrics.includes(name)),
    micro: chosenMetrics.includes("micro"),
    clients: chosenClients.length > 0 ? chosenClients : clientNames,
  };
}

export function natural(name: string, text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value > 0) return value;
  throw new Error(`expected --${name} to be a positive integer, got '${text}'`);
}

interface Machine {
  readonly date: string;
  readonly processor: string;
  readonly cores: number;
  readonly system: string;
  readonly node: string;
  readonly sshd: string;
  readonly load: number;
  readonly versions: Readonly<Record<string, string>>;
}

async function describeMachine(clients: readonly Client[], load: number): Promise<Machine> {
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
    versions: Object.fromEntries(clients.map(({ title, version }) => [title, version])),
  };
}

interface Report {
  readonly machine: Machine;
  readonly seconds: number;
  readonly samples: readonly Sample[];
  readonly failures: readonly Failure[];
  readonly micro: readonly MicroRow[];
  readonly clients: readonly Client[];
  readonly absent: readonly string[];
  readonly options: Options;
}

function report({ machine, seconds, samples, failures, micro, clients, absent, options }: Report): string {
  const { date, processor, cores, system, node, sshd, load, versions } = machine;
  const lines = [
    `${date}, ${processor}, ${cores} cores, ${system}, Node.js ${node}, sshd ${sshd}; ${seconds} s${options.quick ? " (--quick)" : ""}; load average before it ${load.toFixed(1)}`,
    Object.entries(versions)
      .map(([title, version]) => `${title}: ${version}`)
      .join("; "),
    "Median ±half of the range (times `ssh -R`, times ssh2 with its binding, of the same rounds).",
    ...absent.map((line) => `Not measured: ${line}`),
  ];
  for (const { name, title } of options.metrics) {
    const own = samples.filter(({ metric }) => metric === name);
    if (own.length === 0) continue;
    lines.push("", `### ${title} (${name})`);
    for (const one of new Set(own.map((sample) => sample.case))) {
      lines.push(
        "",
        one,
        "",
        table(
          own.filter((sample) => sample.case === one),
          clients,
          "Client",
          ["ssh", "ssh2"],
        ),
      );
    }
  }
  if (micro.length > 0) lines.push("", "### Parts alone (micro)", "", microTable(micro));
  if (failures.length > 0) {
    lines.push("", "### Failed", "");
    for (const { metric, case: one, client, round, reason } of failures) {
      lines.push(`- ${metric}, ${one}, ${client}, round ${round + 1}: ${reason.split("\n").join(" / ")}`);
    }
  }
  return lines.join("\n");
}

function microTable(rows: readonly MicroRow[]): string {
  return markdown(
    ["Part", "bytes", "with", "us each", "MB/s", "repeated"],
    rows.map(({ part, size, implementation, us, count }) => [
      part,
      String(size),
      implementation,
      us.toFixed(us < 10 ? 2 : 0),
      (size / us).toFixed(0),
      String(count),
    ]),
  );
}
