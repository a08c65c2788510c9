/** Metrics as text: OpenMetrics 1.0, section "Text format". @module */
import { SshError } from "@postern/wire";

/** A group of samples with one name. */
export interface MetricFamily {
  /** Such as `postern_host_logins`. The samples of a counter get the suffix `_total`. */
  readonly name: string;
  readonly type: "counter" | "gauge";
  /** One sentence for people. */
  readonly help: string;
  readonly samples: readonly MetricSample[];
}

/** One value of a family. */
export interface MetricSample {
  /** Names and values. Only values from a fixed set: a label with unbounded values fills the memory of its reader. */
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
}

/** The value of the header `Content-Type` for the text of {@link encodeOpenMetrics}. */
export const openMetricsType = "application/openmetrics-text; version=1.0.0; charset=utf-8";

const metricName = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const labelName = /^[a-zA-Z_][a-zA-Z0-9_]*$/;

/** Encodes families as OpenMetrics text. @throws SshError `misuse` for a malformed name, or a counter below zero */
export function encodeOpenMetrics(families: readonly MetricFamily[]): string {
  const lines = families.flatMap(({ name, type, help, samples }) => {
    expectName("a metric", name, metricName);
    const sampleName = type === "counter" ? `${name}_total` : name;
    return [
      `# TYPE ${name} ${type}`,
      `# HELP ${name} ${escapeText(help)}`,
      ...samples.map(({ labels = {}, value }) => {
        if (type === "counter" && !(value >= 0))
          throw new SshError("misuse", `expected the counter ${name} to be at least 0, got ${value}`);
        return `${sampleName}${encodeLabels(labels)} ${encodeNumber(value)}`;
      }),
    ];
  });
  return [...lines, "# EOF", ""].join("\n");
}

function encodeLabels(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([name, value]) => {
    expectName("a label", name, labelName);
    return `${name}="${escapeText(value)}"`;
  });
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function encodeNumber(value: number): string {
  if (Number.isFinite(value) || Number.isNaN(value)) return String(value);
  return value > 0 ? "+Inf" : "-Inf";
}

function escapeText(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}

function expectName(what: string, name: string, pattern: RegExp): void {
  if (!pattern.test(name)) throw new SshError("misuse", `expected ${what} with a name like ${pattern}, got "${name}"`);
}
