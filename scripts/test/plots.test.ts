/** The plots of the benchmark. */
import { describe, expect, it } from "vitest";
import { barChart } from "../../bench/src/plots/bar-chart.ts";
import { lineChart } from "../../bench/src/plots/line-chart.ts";
import { plotsOf } from "../../bench/src/plots/plots.ts";
import type { Sample } from "../../bench/src/report.ts";

/** Parses a document without namespaces and returns its elements. Throws at the first error. */
function parseXml(text: string): { readonly names: string[]; readonly texts: string[] } {
  const open: string[] = [];
  const names: string[] = [];
  const texts: string[] = [];
  let rest = text.trimEnd();
  while (rest !== "") {
    const tag = /^<(\/?)([A-Za-z][\w-]*)((?: [A-Za-z][\w:-]*="[^"<]*")*)(\/?)>/.exec(rest);
    const [whole = "", closes, name = "", attributes = "", empty] = tag ?? [/^[^<]+/.exec(rest)?.[0] ?? ""];
    if (whole === "") throw new Error(`expected a tag, got ${rest.slice(0, 40)}`);
    if (/&(?!(?:amp|lt|gt|quot);)/.test(`${attributes}${tag ? "" : whole}`)) throw new Error(`unescaped & in ${whole}`);
    if (tag === null) {
      if (open.length === 0) throw new Error(`text outside the root: ${whole}`);
      texts.push(whole);
    } else if (closes === "/") {
      if (open.pop() !== name) throw new Error(`unexpected end of ${name}`);
    } else {
      if (open.length === 0 && names.length > 0) throw new Error("expected one root element");
      names.push(name);
      if (empty === "") open.push(name);
    }
    rest = rest.slice(whole.length);
  }
  if (open.length > 0) throw new Error(`expected the end of ${open.join(", ")}`);
  return { names, texts: texts.map((one) => one.replaceAll("&lt;", "<").replaceAll("&amp;", "&")) };
}

const bars = {
  title: 'A < B & "C"',
  unit: "MB/s",
  rows: [
    {
      label: "Postern",
      bars: [
        { name: "up", value: 646 },
        { name: "down", value: 1628.4 },
      ],
    },
    { label: "ssh -R", bars: [{ name: "up", value: 0.1234 }] },
  ],
};
const lines = {
  title: "Cost",
  unit: "ms per MB",
  sizes: "connections",
  series: [
    {
      name: "ssh -R",
      points: [
        { size: 1, value: 0.87 },
        { size: 5_000, value: 2_916 },
      ],
    },
    { name: "Postern", points: [{ size: 1, value: 3.47 }] },
  ],
};

describe("plots of the benchmark", () => {
  it("draw bars as well-formed XML with title, unit, rows and values", () => {
    const { names, texts } = parseXml(barChart(bars));
    expect(names[0]).toBe("svg");
    expect(texts).toEqual(expect.arrayContaining(["A < B & &quot;C&quot;", "MB/s", "Postern", "ssh -R", "up", "down"]));
    expect(texts).toEqual(expect.arrayContaining(["646", "1,628", "0.123"]));
  });

  it("draw bars in proportion to their values", () => {
    const widths = [...barChart(bars).matchAll(/<rect class="c\d" x="[^"]+" y="[^"]+" width="([^"]+)" height="14"/g)];
    const [up, down] = widths.map(([, width]) => Number(width));
    expect((down ?? 0) / (up ?? 0)).toBeCloseTo(1628.4 / 646, 2);
  });

  it.each([true, false])("draw lines as well-formed XML with sizes and values (logarithmic: %s)", (isLogarithmic) => {
    const { names, texts } = parseXml(lineChart({ ...lines, isLogarithmic }));
    expect(names.filter((name) => name === "polyline")).toHaveLength(2);
    expect(texts).toEqual(expect.arrayContaining(["Cost", "ms per MB", "connections", "1", "5,000"]));
    expect(texts).toEqual(expect.arrayContaining(["0.87", "2,916", "3.47"]));
  });

  it("leave values out of a logarithmic scale that it cannot show", () => {
    const series = [
      {
        name: "a",
        points: [
          { size: 1, value: 0 },
          { size: 2, value: 5 },
        ],
      },
    ];
    expect(lineChart({ ...lines, series, isLogarithmic: true })).not.toMatch(/NaN|Infinity/);
  });

  it("have no script and no reference to another place", () => {
    for (const text of [barChart(bars), lineChart(lines)]) {
      expect(text.replace('xmlns="http://www.w3.org/2000/svg"', "")).not.toMatch(/<script|href|https?:|url\(|\son\w+=/);
    }
  });

  it("show the medians of the rounds with the titles of the rows", () => {
    const sample = (metric: string, client: string, column: string, round: number, value: number): Sample => ({
      ...{ metric, client, column, round, value },
      case: "aes256-gcm@openssh.com, ssh -R",
      digits: 0,
    });
    const samples = [
      ...[410, 502, 495].map((value, round) => sample("host-bulk", "tunnelhost", "up MB/s", round, value)),
      sample("host-memory", "sshd", "100 clients, MB each", 0, 1.23),
      sample("host-memory", "sshd", "1000 clients, MB each", 0, 1.27),
    ];
    const plots = plotsOf({ samples, micro: [], titles: { tunnelhost: "TunnelHost", sshd: "sshd" } });
    expect(plots.map(({ file, metric }) => `${metric}: ${file}`)).toEqual([
      "host-bulk: hosts.svg",
      "host-memory: memory-by-clients.svg",
    ]);
    const [hosts = "", memory = ""] = plots.map(({ text }) => text);
    expect(parseXml(hosts).texts).toEqual(expect.arrayContaining(["TunnelHost", "up", "495"]));
    expect(parseXml(memory).texts).toEqual(expect.arrayContaining(["sshd", "100", "1,000", "1.23", "1.27"]));
  });
});
