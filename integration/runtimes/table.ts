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

export function table(rows: readonly Row[]): string {
  const names = Object.keys(headings) as (keyof Row)[];
  return aligned([headings, ...rows].map((row) => names.map((name) => row[name])));
}

/** Aligns the columns of rows. The first row is the heading. */
export function aligned(rows: readonly (readonly string[])[]): string {
  const [head = [], ...body] = rows;
  const widths = head.map((_, index) => Math.max(...rows.map((row) => row[index]?.length ?? 0)));
  const line = (row: readonly string[]) => row.map((cell, index) => cell.padEnd(widths[index] ?? 0)).join("  ");
  const rule = widths.map((width) => "-".repeat(width)).join("  ");
  return [line(head), rule, ...body.map(line)].map((text) => `${text.trimEnd()}\n`).join("");
}
