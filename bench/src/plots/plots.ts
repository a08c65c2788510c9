/** The plots of a run. @module */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { aes256 } from "../clients.ts";
import type { MicroRow } from "../micro.ts";
import { median, type Sample } from "../report.ts";
import { barChart } from "./bar-chart.ts";
import { lineChart } from "./line-chart.ts";

export interface Plotted {
  readonly samples: readonly Sample[];
  readonly micro: readonly MicroRow[];
  /** The titles of clients, hosts and runtimes, by the `client` of a sample; others keep their name. */
  readonly titles: Readonly<Record<string, string>>;
}

/** Writes the plots. Those without figures in this run stay as they are. */
export function writePlots(folder: string, plotted: Plotted): void {
  mkdirSync(folder, { recursive: true });
  for (const [name, text] of plotsOf(plotted)) writeFileSync(join(folder, name), text);
}

/** Returns the documents by file name. */
export function plotsOf(plotted: Plotted): ReadonlyMap<string, string> {
  const plots = new Map<string, string>();
  const add = (name: string, text: string | undefined): void => {
    if (text !== undefined) plots.set(`${name}.svg`, text);
  };
  const throughput = { unit: "MB/s", columns: /MB\/s$/ };
  add("clients", bars(plotted, { metric: "bulk", title: "One connection, AES-256-GCM, by client", ...throughput }));
  add("runtimes", bars(plotted, { metric: "runtimes", title: "One connection, by runtime", ...throughput }));
  add(
    "hosts",
    bars(plotted, { metric: "host-bulk", title: "One tunnel of ssh -R, AES-256-GCM, by host", ...throughput }),
  );
  for (const direction of ["up", "down"] as const) {
    add(
      `cost-by-connections-${direction}`,
      lines(plotted, {
        metric: "growth",
        title: `The same bytes over more connections, ${direction}`,
        unit: "client CPU, ms per MB",
        sizes: "connections",
        columns: new RegExp(`^(\\d+) ${direction}$`),
        isLogarithmic: true,
      }),
    );
  }
  add("cost-by-size", costBySize(plotted.micro));
  add(
    "memory-by-connections",
    lines(plotted, {
      metric: "memory",
      title: "Memory of a client by idle connections",
      unit: "MB above the client without connections",
      sizes: "connections",
      columns: /^(\d+) connections, growth$/,
      isLogarithmic: true,
    }),
  );
  add(
    "memory-by-clients",
    lines(plotted, {
      metric: "host-memory",
      title: "Memory of a host for each idle client",
      unit: "MB (Pss) for each client",
      sizes: "clients",
      columns: /^(\d+) clients, MB each$/,
      isLogarithmic: true,
    }),
  );
  return plots;
}

interface Chosen {
  readonly metric: string;
  readonly title: string;
  readonly unit: string;
  readonly columns: RegExp;
}

/** Returns bars of the case with AES-256-GCM, or of the first case. */
function bars({ samples, titles }: Plotted, { metric, title, unit, columns }: Chosen): string | undefined {
  const own = samples.filter((one) => one.metric === metric && columns.test(one.column));
  const one = own.find((sample) => sample.case.startsWith(aes256))?.case ?? own[0]?.case;
  if (one === undefined) return undefined;
  const ofCase = own.filter((sample) => sample.case === one);
  const rows = unique(ofCase.map(({ client }) => client)).map((client) => ({
    label: titles[client] ?? client,
    bars: medians(ofCase.filter((sample) => sample.client === client)).map(([column, value]) => ({
      name: column.replace(columns, "").trim(),
      value,
    })),
  }));
  return barChart({ title, unit, rows });
}

/** Returns a line for each row. The first group of `columns` is the size. */
function lines(
  { samples, titles }: Plotted,
  chosen: Chosen & { readonly sizes: string; readonly isLogarithmic: boolean },
): string | undefined {
  const { metric, title, unit, sizes, columns, isLogarithmic } = chosen;
  const own = samples.filter((one) => one.metric === metric && columns.test(one.column));
  if (own.length === 0) return undefined;
  const series = unique(own.map(({ client }) => client)).map((client) => ({
    name: titles[client] ?? client,
    points: medians(own.filter((sample) => sample.client === client)).map(([column, value]) => ({
      size: Number(columns.exec(column)?.[1]),
      value,
    })),
  }));
  return lineChart({ title, unit, sizes, series, isLogarithmic });
}

function costBySize(micro: readonly MicroRow[]): string | undefined {
  const own = micro.filter(({ part }) => part.startsWith("seal ") || part.startsWith("open "));
  if (own.length === 0) return undefined;
  const nameOf = ({ part, implementation }: MicroRow): string =>
    `${part.replace("@openssh.com", "")}, ${implementation}`;
  const series = unique(own.filter(({ part }) => part.startsWith("seal ")).map(nameOf)).map((name) => ({
    name,
    points: own.filter((row) => nameOf(row) === name).map(({ size, us }) => ({ size, value: (us * 1_000) / size })),
  }));
  return lineChart({
    title: "Cost of sealing a packet, by its size",
    unit: "ns per byte",
    sizes: "bytes of a packet",
    series,
    isLogarithmic: true,
  });
}

/** Returns the median of each column, in the order of measurement. */
function medians(samples: readonly Sample[]): [column: string, value: number][] {
  return unique(samples.map(({ column }) => column)).map((column) => [
    column,
    median(samples.filter((one) => one.column === column).map(({ value }) => value)),
  ]);
}

function unique(names: readonly string[]): string[] {
  return [...new Set(names)];
}
