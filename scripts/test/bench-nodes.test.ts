/** The tables of the benchmark over several versions of Node.js, and their place in README.md. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { aes128 } from "../../bench/src/clients.ts";
import { nodeMetrics, titleOn } from "../../bench/src/nodes/cases.ts";
import type { Node } from "../../bench/src/nodes/find-nodes.ts";
import { nodeTables } from "../../bench/src/nodes/summary.ts";
import type { Sample } from "../../bench/src/report.ts";
import { replaceSection } from "../../bench/src/section.ts";

const node = (major: string, isLts: boolean): Node => ({
  version: `v${major}.1.0`,
  program: "node",
  abi: major,
  openssl: "3",
  isLts,
});
const [old, lts, current] = [node("20", true), node("24", true), node("26", false)];

describe("the benchmark over versions of Node.js", () => {
  const sample = (on: Node, client: string, column: string, values: readonly number[]): readonly Sample[] =>
    values.map((value, round) => ({
      metric: "bulk",
      case: titleOn(aes128, on),
      client,
      column,
      round,
      value,
      digits: 0,
    }));
  const samples = [
    ...sample(old, "ssh", "up MB/s", [100, 200]),
    ...sample(old, "postern", "up MB/s", [50, 100]),
    ...sample(lts, "postern", "up MB/s", [80, 160]),
    ...sample(lts, "ssh2", "up MB/s", [40, 320]),
    ...sample(lts, "postern", "up client CPU s/GB", [3, 3]),
    ...sample(lts, "floor", "up client CPU s/GB", [2, 2]),
    ...sample(lts, "postern", "up cold client CPU s/GB", [6, 6]),
  ];
  const titles = [{ name: "postern", title: "Postern" } as const, { name: "ssh", title: "ssh -R" } as const];
  const text = nodeTables(samples, [old, lts, current], titles);

  it("shows the newest version with long-term support first", () => {
    expect(text).toMatch(/^### Node\.js v24\.1\.0\n/);
    expect(text).toMatch(/\| one stream, AES-128-GCM, up, MB\/s \| +120 \| +150 \|/);
  });

  it("compares with ssh of the first version, and with ssh2 of the same, round by round", () => {
    expect(text).toMatch(/up, MB\/s \| +75 \(0\.50, -\) \| +120 \(0\.80, 1\.25\) \| +- \(-, -\) \|/);
  });

  it("divides by the floor, and cold by warm", () => {
    expect(text).toContain("1.50 (3.00 / 2.00)");
    expect(text).toContain("6.00 / 3.00 = 2.00");
  });

  it("runs ssh once in each round, and ssh2 without its binding where it cannot be built", () => {
    const [bulk] = nodeMetrics([old, current], [current]);
    const clients = bulk
      ?.cases({ quick: false })
      .slice(0, 2)
      .map((one) => one.clients ?? []);
    expect(clients?.map((names) => names.filter((name) => name.startsWith("ssh")))).toEqual([
      ["ssh", "ssh2"],
      ["ssh2-js"],
    ]);
  });
});

describe("a section of a page", () => {
  const dir = mkdtempSync(join(tmpdir(), "postern-section-"));
  afterAll(() => rmSync(dir, { recursive: true }));
  const replaced = (page: string): string => {
    const file = join(dir, "page.md");
    writeFileSync(file, page);
    replaceSection(file, "Figures", "new");
    return readFileSync(file, "utf8");
  };

  it("is replaced up to the next section", () => {
    expect(replaced("# T\n\n## Figures\n\nold\n\n### part\n\n## Figures by runtime\n\nkept\n")).toBe(
      "# T\n\n## Figures\n\nnew\n\n## Figures by runtime\n\nkept\n",
    );
  });

  it("is added if there is none", () => {
    expect(replaced("# T\n\ntext\n")).toBe("# T\n\ntext\n\n## Figures\n\nnew\n");
  });
});
