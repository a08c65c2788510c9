/** Medians, spread and ratios, as tables in Markdown. @module */
/** A row of a table. */
export interface Row {
  /** The `client` of its samples. */
  readonly name: string;
  readonly title: string;
}

/** The figures of a run, in the order of measurement. */
export interface Sample {
  readonly metric: string;
  readonly case: string;
  readonly client: string;
  readonly column: string;
  readonly round: number;
  readonly value: number;
  readonly digits: number;
}

export interface Failure {
  readonly metric: string;
  readonly case: string;
  readonly client: string;
  readonly round: number;
  readonly reason: string;
}

/** Formats the table of one case: `median ±half of the range in percent (times each row of `bases`)`. */
export function table(
  samples: readonly Sample[],
  all: readonly Row[],
  rowTitle: string,
  bases: readonly string[],
): string {
  const columns = [...new Set(samples.map(({ column }) => column))];
  const rows = all.filter(({ name }) => samples.some(({ client }) => client === name));
  const cells = rows.map(({ name, title }) => [title, ...columns.map((column) => cell(samples, name, column, bases))]);
  return markdown([rowTitle, ...columns], cells);
}

/** Returns the table with aligned columns, for a terminal. */
export function markdown(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((name, i) => Math.max(name.length, ...rows.map((row) => row[i]?.length ?? 0)));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((text, i) => (i === 0 ? text.padEnd(widths[i] ?? 0) : text.padStart(widths[i] ?? 0))).join(" | ")} |`;
  const rule = `|${widths.map((width, i) => (i === 0 ? "-".repeat(width + 2) : `${"-".repeat(width + 1)}:`)).join("|")}|`;
  return [line(head), rule, ...rows.map(line)].join("\n");
}

function cell(samples: readonly Sample[], client: string, column: string, bases: readonly string[]): string {
  const own = samples.filter((one) => one.client === client && one.column === column);
  if (own.length === 0) return "-";
  const values = own.map(({ value }) => value);
  const middle = median(values);
  const spread =
    values.length < 2
      ? ""
      : ` ±${Math.round((100 * (Math.max(...values) - Math.min(...values))) / 2 / Math.abs(middle))}%`;
  const ratios = bases.map((base) => ratio(samples, own, base, column));
  const told = ratios.some((one) => one !== undefined)
    ? ` (${ratios.map((one) => one?.toFixed(2) ?? "-").join(", ")})`
    : "";
  return `${middle.toFixed(own[0]?.digits ?? 0)}${spread}${told}`;
}

/** Compares round by round, so that a temporary slowdown of the machine cancels out. */
export function ratio(
  samples: readonly Sample[],
  own: readonly Sample[],
  base: string,
  column: string,
): number | undefined {
  const byRound = (of: readonly Sample[]): Map<number, number> => {
    const grouped = new Map<number, number[]>();
    for (const { round, value } of of) grouped.set(round, [...(grouped.get(round) ?? []), value]);
    return new Map([...grouped].map(([round, values]) => [round, median(values)]));
  };
  const theirs = byRound(samples.filter((one) => one.client === base && one.column === column));
  const ratios = [...byRound(own)].flatMap(([round, value]) => {
    const other = theirs.get(round);
    return other === undefined || other === 0 ? [] : [value / other];
  });
  return ratios.length === 0 ? undefined : median(ratios);
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}
