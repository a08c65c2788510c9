/** Horizontal bars in groups. @module */
import { colourOf, drawing, element, figure, label, legend, linearTicks, textWidth } from "./svg.ts";

export interface BarChart {
  readonly title: string;
  /** The unit of all values. */
  readonly unit: string;
  /** A group of bars for each row. Rows may lack some of the bars. */
  readonly rows: readonly {
    readonly label: string;
    readonly bars: readonly { readonly name: string; readonly value: number }[];
  }[];
}

const width = 760;
const bar = 16;

/** Returns an SVG document. Bars of the same name have the same colour, and their values beside them. */
export function barChart({ title, unit, rows }: BarChart): string {
  const names = [...new Set(rows.flatMap(({ bars }) => bars.map(({ name }) => name)))];
  const values = rows.flatMap(({ bars }) => bars.map(({ value }) => value));
  const ticks = linearTicks(Math.max(0, ...values));
  const left = 28 + Math.max(0, ...rows.map((row) => textWidth(row.label)));
  const right = width - 64;
  const at = (value: number): number => left + ((right - left) * value) / (ticks.at(-1) ?? 1);
  const key = legend(names, 16, 56, width - 32);
  const top = 56 + key.height;
  const markup: string[] = [...key.markup];
  let y = top;
  const body: string[] = [];
  for (const { label: text, bars } of rows) {
    body.push(label(text, left - 10, y + (bars.length * bar) / 2 + 4, { anchor: "end" }));
    for (const { name, value } of bars) {
      const shape = { class: colourOf(names.indexOf(name)), x: left, y, width: at(value) - left, height: bar - 2 };
      body.push(element("rect", shape), label(figure(value), at(value) + 5, y + 12));
      y += bar;
    }
    y += 10;
  }
  for (const tick of ticks) {
    markup.push(element("line", { class: "grid", x1: at(tick), y1: top - 6, x2: at(tick), y2: y }));
    markup.push(label(figure(tick), at(tick), y + 16, { anchor: "middle", kind: "minor" }));
  }
  markup.push(...body, label(unit, (left + right) / 2, y + 36, { anchor: "middle", kind: "minor" }));
  return drawing(title, width, Math.round(y + 50), markup);
}
