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
  /** MB/s of one connection. */
  readonly runtimes?: readonly Runtime[];
  /** The titles of clients and hosts, by the `client` of a sample; others keep their name. */
  readonly titles: Readonly<Record<string, string>>;
}

interface Runtime {
  readonly name: string;
  /** Such as `noble` or `node:crypto`. */
  readonly provider: string;
  readonly cipher: string;
  readonly up: number;
  readonly down: number;
}

export interface Plot {
  readonly file: string;
  /** The metric whose figures it shows. */
  readonly metric: string;
  readonly title: string;
  /** The SVG document. */
  readonly text: string;
}

/** Writes the plots. */
export function writePlots(folder: string, plots: readonly Plot[]): void {
  mkdirSync(folder, { recursive: true });
  for (const { file, text } of plots) writeFileSync(join(folder, file), text);
}

/** Returns the plots of all metrics that the run has measured. */
export function plotsOf(plotted: Plotted): readonly Plot[] {
  const throughput = { unit: "MB/s", columns: /MB\/s$/ };
  const growth = {
    metric: "growth",
    unit: "client CPU, ms per MB",
    sizes: "connections",
  };
  return [
    bars(plotted, {
      file: "clients.svg",
      metric: "bulk",
      title: "One connection with AES-256-GCM, by client",
      ...throughput,
    }),
    byRuntime(plotted.runtimes ?? []),
    bars(plotted, {
      file: "hosts.svg",
      metric: "host-bulk",
      title: "One tunnel of ssh -R with AES-256-GCM, by host",
      ...throughput,
    }),
    lines(plotted, {
      ...growth,
      file: "cost-by-connections-up.svg",
      title: "The same bytes over more connections, up",
      columns: /^(\d+) up$/,
    }),
    lines(plotted, {
      ...growth,
      file: "cost-by-connections-down.svg",
      title: "The same bytes over more connections, down",
      columns: /^(\d+) down$/,
    }),
    costBySize(plotted.micro),
    lines(plotted, {
      file: "memory-by-connections.svg",
      metric: "memory",
      title: "Memory of a client by idle connections",
      unit: "MB above the client without connections",
      sizes: "connections",
      columns: /^(\d+) connections, growth$/,
    }),
    lines(plotted, {
      file: "memory-by-clients.svg",
      metric: "host-memory",
      title: "Memory of a host for each idle client",
      unit: "MB (Pss) for each client",
      sizes: "clients",
      columns: /^(\d+) clients, MB each$/,
    }),
  ].filter((plot) => plot !== undefined);
}

interface Chosen extends Omit<Plot, "text"> {
  readonly unit: string;
  readonly columns: RegExp;
}

/** Returns bars of the case with AES-256-GCM, or of the first case. */
function bars({ samples, titles }: Plotted, chosen: Chosen): Plot | undefined {
  const { file, metric, title, unit, columns } = chosen;
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
  return { file, metric, title, text: barChart({ title, unit, rows }) };
}

/** A run measures a runtime several times, or once. */
function byRuntime(runtimes: readonly Runtime[]): Plot | undefined {
  if (runtimes.length === 0) return undefined;
  const nameOf = ({ name, provider, cipher }: Runtime): string =>
    `${name}, ${provider}, ${cipher.replace("@openssh.com", "")}`;
  const rows = unique(runtimes.map(nameOf)).map((name) => {
    const own = runtimes.filter((one) => nameOf(one) === name);
    const value = (direction: "up" | "down"): number => median(own.map((one) => one[direction]));
    return {
      label: name,
      bars: (["up", "down"] as const).map((direction) => ({ name: direction, value: value(direction) })),
    };
  });
  const title = "One connection, by runtime";
  return { file: "runtimes.svg", metric: "runtimes", title, text: barChart({ title, unit: "MB/s", rows }) };
}

/** Returns a line for each row. The first group of `columns` is the size. */
function lines({ samples, titles }: Plotted, chosen: Chosen & { readonly sizes: string }): Plot | undefined {
  const { file, metric, title, unit, sizes, columns } = chosen;
  const own = samples.filter((one) => one.metric === metric && columns.test(one.column));
  if (own.length === 0) return undefined;
  const series = unique(own.map(({ client }) => client)).map((client) => ({
    name: titles[client] ?? client,
    points: medians(own.filter((sample) => sample.client === client)).map(([column, value]) => ({
      size: Number(columns.exec(column)?.[1]),
      value,
    })),
  }));
  return { file, metric, title, text: lineChart({ title, unit, sizes, series, isLogarithmic: true }) };
}

function costBySize(micro: readonly MicroRow[]): Plot | undefined {
  const own = micro.filter(({ part }) => part.startsWith("seal ") || part.startsWith("open "));
  if (own.length === 0) return undefined;
  const nameOf = ({ part, implementation }: MicroRow): string =>
    `${part.replace("@openssh.com", "")}, ${implementation}`;
  const series = unique(own.filter(({ part }) => part.startsWith("seal ")).map(nameOf)).map((name) => ({
    name,
    points: own.filter((row) => nameOf(row) === name).map(({ size, us }) => ({ size, value: (us * 1_000) / size })),
  }));
  const title = "Cost of sealing a packet, by its size";
  const sizes = "bytes of a packet";
  const text = lineChart({ title, unit: "ns per byte", sizes, series, isLogarithmic: true });
  return { file: "cost-by-size.svg", metric: "micro", title, text };
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
