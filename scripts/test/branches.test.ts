/** The coverage of branches names each branch that no test takes. */
import { describe, expect, it } from "vitest";
import { entriesWithoutBranch, tallyByPackage, unnamedBranches, untakenBranches } from "../lib/branches.mjs";

const at = (line: number) => ({ start: { line } });
const file = {
  file: "packages/wire/src/door.ts",
  lines: ["if (a) open();", "  const b = c ?? d;"],
  coverage: {
    branchMap: {
      0: { loc: at(1), locations: [at(1), {}] },
      1: { loc: at(2), locations: [at(2), at(2)] },
    },
    b: { 0: [3, 0], 1: [2, 1] },
  },
};
const untaken = { file: file.file, number: 1, line: "if (a) open();" };
const entry = { file: file.file, line: untaken.line, reason: "the door has no handle" };

describe("branches that no test takes", () => {
  it("have the line where they begin, even an else that is not written", () => {
    expect(untakenBranches(file)).toEqual([untaken]);
  });

  it("are reported until an entry names each of them", () => {
    expect(unnamedBranches([untaken], [])).toEqual([untaken]);
    expect(unnamedBranches([untaken], [entry])).toEqual([]);
    const twice = [untaken, { ...untaken, number: 9 }];
    expect(unnamedBranches(twice, [entry])).toEqual(twice);
    expect(unnamedBranches(twice, [{ ...entry, branches: 2 }])).toEqual([]);
  });

  it("have no entry for another line, another file or more branches", () => {
    const stale = [
      { ...entry, line: "if (b) open();" },
      { ...entry, file: "packages/wire/src/gate.ts" },
      { ...entry, branches: 2 },
    ];
    expect(entriesWithoutBranch([untaken], [entry, ...stale])).toEqual(stale);
  });

  it("are counted by package", () => {
    expect(tallyByPackage([file])).toEqual([{ name: "wire", total: 4, taken: 3 }]);
  });
});
