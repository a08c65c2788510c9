/** `npm run test:all` runs its steps alone or at the same time, each with a log and a limit. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { chooseSteps, runSteps, tableOf } from "../lib/steps.mjs";

const folder = mkdtempSync(join(tmpdir(), "postern-steps-"));
afterAll(() => rmSync(folder, { recursive: true }));

const node = (code: string): string[] => ["node", "-e", code];
const lines: string[] = [];
const options = { folder, jobs: 2, report: (line: string) => void lines.push(line) };
/** Passes if another step runs the same at the same time. */
const meet = (own: string, other: string): string[] =>
  node(
    `const fs = require("node:fs");
    fs.writeFileSync(${JSON.stringify(join(folder, own))}, "");
    const timer = setInterval(() => fs.existsSync(${JSON.stringify(join(folder, other))}) && clearInterval(timer), 10);`,
  );
/** Adds its name to a file at its start and at its end. */
const record = (name: string): string[] =>
  node(
    `const write = () => require("node:fs").appendFileSync(${JSON.stringify(join(folder, "record"))}, "${name} ");
    write();
    setTimeout(write, 50);`,
  );

describe("the steps of a long run", () => {
  it("are all of them, those of --only, or all but those of --skip", () => {
    const steps = ["check", "fuzz", "soak"].map((name) => ({ name, minutes: 1, commands: [] }));
    const names = (choice: object): string[] => chooseSteps(steps, choice).map(({ name }) => name);
    expect(names({})).toEqual(["check", "fuzz", "soak"]);
    expect(names({ only: "soak,check" })).toEqual(["check", "soak"]);
    expect(names({ skip: "fuzz" })).toEqual(["check", "soak"]);
    expect(() => names({ skip: "fuz" })).toThrow("expected one of check, fuzz, soak, got fuz");
  });

  it("run at the same time, unless one runs alone", async () => {
    const results = await runSteps(
      [
        { name: "alone", alone: true, minutes: 1, commands: [record("alone")] },
        { name: "also alone", alone: true, minutes: 1, commands: [record("also")] },
        { name: "one", minutes: 1, commands: [meet("one", "other")] },
        { name: "other", minutes: 1, commands: [meet("other", "one")] },
      ],
      options,
    );
    expect(results.map(({ code }) => code)).toEqual([0, 0, 0, 0]);
    expect(readFileSync(join(folder, "record"), "utf8")).toBe("alone alone also also ");
  });

  it("fail with their first command, and leave its output in a log", async () => {
    const commands = [node('console.log("first"); process.exitCode = 3'), node('console.log("second")')];
    const results = await runSteps([{ name: "broken", minutes: 1, commands }], options);
    expect(results).toMatchObject([{ name: "broken", code: 3 }]);
    expect(readFileSync(join(folder, "broken.log"), "utf8")).toBe("first\n");
    expect(lines).toContain("first");
  });

  it("fail at their limit", async () => {
    const commands = [["sh", "-c", "sleep 1000 & sleep 1000"]];
    const results = await runSteps([{ name: "endless", minutes: 0.001, commands }], options);
    expect(results).toMatchObject([{ name: "endless", code: 124 }]);
  });

  it("have a table of their times", () => {
    const results = [
      { name: "check", code: 0, seconds: 9.6 },
      { name: "mutation", code: 1, seconds: 185 },
    ];
    expect(tableOf(results).split("\n").slice(2)).toEqual([
      "| check | passed | 10 s |",
      "| mutation | failed | 3 min 5 s |",
    ]);
  });
});
