/** SVG as text: elements, colours and the frame of a chart. No scripts and no fonts from elsewhere. @module */

/** Returns an element. Attributes and text are escaped; children are markup. */
export function element(
  name: string,
  attributes: Readonly<Record<string, string | number>>,
  children: readonly string[] = [],
): string {
  const told = Object.entries(attributes).map(([key, value]) => ` ${key}="${escapeXml(shown(value))}"`);
  return children.length === 0
    ? `<${name}${told.join("")}/>`
    : `<${name}${told.join("")}>${children.join("")}</${name}>`;
}

/** Returns a text at a place. */
export function label(
  text: string,
  x: number,
  y: number,
  options: {
    readonly anchor?: "start" | "middle" | "end";
    readonly kind?: "title" | "minor";
    readonly turn?: number;
  } = {},
): string {
  const { anchor = "start", kind, turn } = options;
  const more = {
    ...(kind === undefined ? {} : { class: kind }),
    ...(turn === undefined ? {} : { transform: `rotate(${turn} ${shown(x)} ${shown(y)})` }),
  };
  return element("text", { x, y, "text-anchor": anchor, ...more }, [escapeXml(text)]);
}

/** The class of a series, which sets its colour. */
export function colourOf(series: number): string {
  return `c${series % colours.length}`;
}

/** Colours that also differ for colour-blind readers, on white and on black. */
const colours = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8a8a8a"];

const style = [
  "svg{color-scheme:light dark;font:13px system-ui,sans-serif}",
  ".paper{fill:#fff}text{fill:#1f2328}.title{font-size:16px;font-weight:600}.minor{fill:#59636e}",
  ".grid{stroke:#d1d9e0}",
  "@media(prefers-color-scheme:dark){.paper{fill:#0d1117}text{fill:#e6edf3}.minor{fill:#9198a1}.grid{stroke:#3d444d}}",
  ...colours.map((colour, i) => `.c${i}{fill:${colour};stroke:${colour}}`),
  ".line{fill:none;stroke-width:2}",
].join("");

/** Returns the document: background, title, description for readers of screens, and the content. */
export function drawing(title: string, width: number, height: number, content: readonly string[]): string {
  const box = { xmlns: "http://www.w3.org/2000/svg", viewBox: `0 0 ${width} ${height}`, width, height, role: "img" };
  const parts = [
    element("title", {}, [escapeXml(title)]),
    element("style", {}, [style]),
    element("rect", { class: "paper", width, height }),
    label(title, 16, 28, { kind: "title" }),
    ...content,
  ];
  return `${element(
    "svg",
    box,
    parts.map((part) => `\n${part}`),
  )}\n`;
}

/** Returns the names of the series beside squares of their colours, in rows. */
export function legend(
  names: readonly string[],
  x: number,
  y: number,
  width: number,
): { markup: string[]; height: number } {
  const markup: string[] = [];
  let [left, top] = [x, y];
  for (const [i, name] of names.entries()) {
    const wide = 30 + textWidth(name);
    if (left > x && left + wide > x + width) [left, top] = [x, top + 20];
    markup.push(element("rect", { class: colourOf(i), x: left, y: top - 10, width: 11, height: 11 }));
    markup.push(label(name, left + 17, top));
    left += wide;
  }
  return { markup, height: top - y + 20 };
}

/** An estimate: the fonts of the reader are not known. */
export function textWidth(text: string): number {
  return Math.ceil(text.length * 7.2);
}

/** Formats a value with three digits. */
export function figure(value: number): string {
  if (value === 0) return "0";
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  const [whole = "", fraction = ""] = value.toFixed(digits).split(".");
  const zeros = fraction.replace(/0+$/, "");
  return `${whole.replace(/\B(?=(\d{3})+$)/g, ",")}${zeros === "" ? "" : `.${zeros}`}`;
}

/** Returns about five round values from 0 to at least `max`. */
export function linearTicks(max: number): number[] {
  const rough = max / 5 || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 5, 10].find((factor) => factor * power >= rough) ?? 10) * power;
  return Array.from({ length: Math.ceil(max / step - 1e-9) + 1 }, (_, i) => i * step);
}

/** Returns the powers of ten around the values. */
export function logTicks(min: number, max: number): number[] {
  const first = Math.floor(Math.log10(min) + 1e-9);
  const last = Math.max(first + 1, Math.ceil(Math.log10(max) - 1e-9));
  return Array.from({ length: last - first + 1 }, (_, i) => 10 ** (first + i));
}

function shown(value: string | number): string {
  return typeof value === "string" ? value : String(Math.round(value * 10) / 10);
}

function escapeXml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}
