/** The mutation run counts the changes that tests notice, and fails below the floor of a package. */
import { describe, expect, it } from "vitest";
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
