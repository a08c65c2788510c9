/** Lines over a scale of sizes. @module */
import { colourOf, drawing, element, figure, label, legend, linearTicks, logTicks } from "./svg.ts";

export interface LineChart {
  readonly title: string;
  /** The unit of all values. */
  readonly unit: string;
  /** The things that the numbers below the chart count. */
  readonly sizes: string;
  /** Points may lack in a series. Each size has the same distance from the next. */
  readonly series: readonly {
    readonly name: string;
    readonly points: readonly { readonly size: number; readonly value: number }[];
  }[];
  /** Default: linear, from 0. A logarithmic scale leaves out values that are not positive. */
  readonly isLogarithmic?: boolean;
}

const [width, height] = [760, 420];
const [left, right] = [76, width - 84];

/** Returns an SVG document. The last value of each line is beside it, the others in titles of their points. */
export function lineChart({ title, unit, sizes: sizesTitle, series: all, isLogarithmic = false }: LineChart): string {
  const series = all.map(({ name, points }) => ({
    name,
    points: points.filter(({ value }) => !isLogarithmic || value > 0).toSorted((a, b) => a.size - b.size),
  }));
  const points = series.flatMap((one) => one.points);
  const sizes = [...new Set(points.map(({ size }) => size))].toSorted((a, b) => a - b);
  const values = points.map(({ value }) => value);
  const ticks = isLogarithmic ? logTicks(Math.min(...values), Math.max(...values)) : linearTicks(Math.max(...values));
  const key = legend(
    series.map(({ name }) => name),
    16,
    56,
    width - 32,
  );
  const [top, bottom] = [56 + key.height, height - 60];
  const scale = (value: number): number => (isLogarithmic ? Math.log10(value) : value);
  const [low = 0, high = 1] = [ticks[0] ?? 0, ticks.at(-1) ?? 1].map(scale);
  const x = (size: number): number =>
    sizes.length === 1 ? (left + right) / 2 : left + ((right - left) * sizes.indexOf(size)) / (sizes.length - 1);
  const y = (value: number): number => bottom - ((bottom - top) * (scale(value) - low)) / (high - low);
  const markup: string[] = [...key.markup];
  for (const tick of ticks) {
    markup.push(element("line", { class: "grid", x1: left, y1: y(tick), x2: right, y2: y(tick) }));
    markup.push(label(figure(tick), left - 8, y(tick) + 4, { anchor: "end", kind: "minor" }));
  }
  for (const size of sizes) markup.push(label(figure(size), x(size), bottom + 20, { anchor: "middle", kind: "minor" }));
  markup.push(label(sizesTitle, (left + right) / 2, bottom + 44, { anchor: "middle", kind: "minor" }));
  markup.push(label(unit, 20, (top + bottom) / 2, { anchor: "middle", kind: "minor", turn: -90 }));
  for (const [i, { points: own }] of series.entries()) {
    const line = own.map(({ size, value }) => [x(size), y(value)].map((place) => place.toFixed(1)).join(",")).join(" ");
    markup.push(element("polyline", { class: `${colourOf(i)} line`, points: line, style: "fill:none" }));
    for (const { size, value } of own) {
      const told = element("title", {}, [figure(value)]);
      markup.push(element("circle", { class: colourOf(i), cx: x(size), cy: y(value), r: 3 }, [told]));
    }
  }
  return drawing(title, width, height, [...markup, ...lastValues(series, x, y)]);
}

/** Labels that would overlap move down. */
function lastValues(series: LineChart["series"], x: (size: number) => number, y: (value: number) => number): string[] {
  const last = series.flatMap(({ points }) => points.slice(-1)).map((one) => ({ ...one, top: y(one.value) + 4 }));
  let free = Number.NEGATIVE_INFINITY;
  return last
    .toSorted((a, b) => a.top - b.top)
    .map(({ size, value, top }) => {
      free = Math.max(top, free + 14);
      return label(figure(value), x(size) + 8, free);
    });
}
