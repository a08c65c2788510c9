/** The table of `npm run runtimes`. @module */

export interface Row {
  readonly runtime: string;
  readonly version: string;
  readonly over: string;
  readonly scenario: string;
  readonly vectors: string;
  readonly speed: string;
}

const headings: Row = {
  runtime: "runtime",
  version: "version",
  over: "Postern, over",
  scenario: "scenario",
  vectors: "vectors",
  speed: "MB/s, cipher",
};

/** Aligns the columns. */
export function table(rows: readonly Row[]): string {
  const names = Object.keys(headings) as (keyof Row)[];
  const all = [headings, ...rows];
  const widths = names.map((name) => Math.max(...all.map((row) => row[name].length)));
  const line = (row: Row) => names.map((name, index) => row[name].padEnd(widths[index] ?? 0)).join("  ");
  const rule = widths.map((width) => "-".repeat(width)).join("  ");
  return [line(headings), rule, ...rows.map(line)].map((text) => `${text.trimEnd()}\n`).join("");
}
