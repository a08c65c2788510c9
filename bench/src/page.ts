/** The report of a run as text in Markdown, and its place in README.md. @module */
import { readFileSync, writeFileSync } from "node:fs";
import type { MicroRow } from "./micro.ts";
import type { Plot } from "./plots/plots.ts";
import { type Failure, markdown, type Row, type Sample, table } from "./report.ts";

export interface Machine {
  readonly date: string;
  readonly processor: string;
  readonly cores: number;
  readonly system: string;
  readonly node: string;
  readonly sshd: string;
  readonly load: number;
}

export interface Report {
  readonly machine: Machine;
  readonly seconds: number;
  readonly quick: boolean;
  readonly samples: readonly Sample[];
  readonly failures: readonly Failure[];
  readonly micro: readonly MicroRow[];
  readonly plots: readonly Plot[];
  readonly versions: Readonly<Record<string, string>>;
  readonly absent: readonly string[];
  readonly metrics: readonly { readonly name: string; readonly title: string }[];
  readonly rows: readonly Row[];
  /** The title of the first column. */
  readonly rowTitle: string;
  readonly bases: { readonly names: readonly string[]; readonly titles: string };
}

/** Formats a report. */
export function report(given: Report): string {
  const { machine, seconds, quick, samples, failures, micro, plots } = given;
  const { versions, absent, metrics, rows, rowTitle, bases } = given;
  const { date, processor, cores, system, node, sshd, load } = machine;
  const lines = [
    `${date}, ${processor}, ${cores} cores, ${system}, Node.js ${node}, sshd ${sshd}; ${seconds} s${quick ? " (--quick)" : ""}; load average before it ${load.toFixed(1)}`,
    Object.entries(versions)
      .map(([title, version]) => `${title}: ${version}`)
      .join("; "),
    `Median ±half of the range (${bases.titles}, of the same rounds).`,
    ...absent.map((line) => `Not measured: ${line}`),
  ];
  for (const { name, title } of metrics) {
    const own = samples.filter(({ metric }) => metric === name);
    if (own.length === 0) continue;
    lines.push("", `### ${title} (${name})`, ...imagesOf(plots, name));
    for (const one of new Set(own.map((sample) => sample.case))) {
      const ofCase = own.filter((sample) => sample.case === one);
      lines.push("", one, "", table(ofCase, rows, rowTitle, bases.names));
    }
  }
  if (micro.length > 0) {
    lines.push("", "### Parts alone (micro)", ...imagesOf(plots, "micro"), "", microTable(micro));
  }
  const failed = failures.filter(({ metric }) => metrics.some(({ name }) => name === metric));
  if (failed.length > 0) {
    lines.push("", "### Failed", "");
    for (const { metric, case: one, client, round, reason } of failed) {
      const title = rows.find(({ name }) => name === client)?.title ?? client;
      lines.push(`- ${metric}, ${one}, ${title}, round ${round + 1}: ${reason.split("\n").join(" / ")}`);
    }
  }
  return lines.join("\n");
}

function imagesOf(plots: readonly Plot[], metric: string): string[] {
  return plots
    .filter((plot) => plot.metric === metric)
    .flatMap(({ title, file }) => ["", `![${title}](plots/${file})`]);
}

/** Replaces the sections with the tables of the previous run. */
export function intoReadme(file: string, sections: Readonly<Record<string, string>>): void {
  let text = readFileSync(file, "utf8");
  for (const [heading, body] of Object.entries(sections)) {
    const [before = "", ...rest] = text.split(`\n## ${heading}\n`);
    const next = rest.join("").search(/^## /m);
    const after = next === -1 ? "" : `\n${rest.join("").slice(next)}`;
    text = `${before.trimEnd()}\n\n## ${heading}\n\n${body}\n${after}`;
  }
  writeFileSync(file, text);
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
