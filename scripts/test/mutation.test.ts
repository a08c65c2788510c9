/** The mutation run counts the changes that tests notice, and fails below the floor of a package. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { runApart } from "../lib/mutation/apart.mjs";
import { scoreOf, scoreProblem, statusesOf } from "../lib/mutation/score.mjs";

/** Returns a score with the given number of changes, and of noticed changes. */
const scored = (noticed: number, counted: number) =>
  scoreOf(Array.from({ length: counted }, (_, at) => ({ status: at < noticed ? "noticed" : "not noticed" })));

describe("the status of a change", () => {
  it("comes from the entries of the runner", () => {
    const changes = ["1", "2", "3", "4"].map((id) => ({ id }));
    const entries = [
      { file: "door.test.ts" },
      { reached: ["1", "2"] },
      { onlyAtImport: ["2", "3"] },
      { change: "1", test: "opens" },
      { noticed: "1" },
    ];
    expect(statusesOf(changes, entries).map(({ status }) => status)).toEqual([
      "noticed",
      "not noticed",
      "import",
      "not reached",
    ]);
  });
});

describe("the score of a mutation run", () => {
  it("leaves out changes of code that only runs at import, and counts those that no test reaches", () => {
    const results = ["noticed", "not noticed", "not reached", "import"].map((status) => ({ status }));
    expect(scoreOf(results)).toMatchObject({ noticed: 1, counted: 3 });
  });

  it("fails below the floor of its package, and passes at the floor", () => {
    expect(scoreProblem("auth", scored(93, 100), 94)).toBe(
      "auth: expected tests to notice at least 94 % of the changes, got 93 % (93 of 100)",
    );
    expect(scoreProblem("auth", scored(93, 100), 93)).toBeUndefined();
  });

  it("does not round a score up to its floor", () => {
    expect(scoreProblem("auth", scored(9399, 10_000), 94)).toContain("got 93.9 % (9399 of 10000)");
  });
});

describe("a change in a process of its own", () => {
  it("is noticed if a test fails or does not end, and not if all tests pass", async () => {
    const root = fileURLToPath(new URL("../..", import.meta.url));
    mkdirSync(join(root, "coverage"), { recursive: true });
    const folder = mkdtempSync(join(root, "coverage/planted-"));
    try {
      const fileName = join(folder, "sum.mjs");
      const source =
        "export function sum(n) {\n  let all = 0;\n  for (let i = 1; i <= n; i++) all += i;\n  return all;\n}\n";
      writeFileSync(fileName, source);
      writeFileSync(join(folder, "package.json"), '{ "type": "module", "sideEffects": false }');
      const test = (size: number, result: number): string =>
        `import { expect, it } from "vitest";\nimport { sum } from "./sum.mjs";\n` +
        `it("adds", () => expect(sum(${size})).toBe(${result}));\n`;
      writeFileSync(join(folder, "quick.mjs"), test(1, 1));
      writeFileSync(join(folder, "all.mjs"), test(4, 10));
      const replaced = (id: string, text: string, replacement: string) => {
        const column = source.split("\n")[2]?.indexOf(text) ?? -1;
        const location = { start: { line: 2, column }, end: { line: 2, column: column + text.length } };
        return { id, fileName, location, replacement };
      };
      const changes = [
        replaced("wrong", "+=", "="),
        replaced("endless", "i++", "i--"),
        replaced("equal", "i <= n", "i < n + 1"),
      ];
      const [quick, all] = ["quick.mjs", "all.mjs"].map((name) => [relative(root, join(folder, name))]);
      const entries = await runApart({ changes, quick: quick ?? [], all: all ?? [], folder });
      expect(statusesOf(changes, entries).map(({ status }) => status)).toEqual(["noticed", "noticed", "not noticed"]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
