/** The check of the clauses finds what is missing, misnamed or left out. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { countKeywords, pageProblems, problemsOf, stateOf } from "../lib/clauses.mjs";
import { testTitles } from "../lib/test-titles.mjs";

const root = mkdtempSync(join(tmpdir(), "postern-clauses-"));
const test = { file: "a.test.ts", title: "a door > is shut" };
const clause = { section: "1", text: "A door MUST be shut.", files: ["a.ts"], tests: [test] };
const source = `describe("a door", () => { it("is shut", () => {}); it.each([1])(\`has \${2} hinges\`, () => {}); });`;

beforeAll(() => {
  writeFileSync(join(root, "a.ts"), "");
  writeFileSync(join(root, "a.test.ts"), `${source}\nfor (const title of []) it.skipIf(true)(title, () => {});\n`);
});
afterAll(() => rmSync(root, { recursive: true }));

const problems = (change: object, counts: Record<string, number> = { "1": 1 }): readonly string[] =>
  problemsOf(root, { counted: "keywords", counts, clauses: [{ ...clause, ...change }] });

describe("the clauses", () => {
  it("have no problem if all names exist and all keywords are listed", () => {
    expect(problems({})).toEqual([]);
    expect(problems({ files: undefined, tests: undefined, remark: "There is no door." })).toEqual([]);
    expect(problems({ tests: undefined, files: ["b.ts"], pending: "door" })).toEqual([]);
  });

  it.each([
    [{ files: ["b.ts"] }, "expected a file, got b.ts"],
    [{ tests: [{ ...test, file: "b.test.ts" }] }, "expected a file of tests, got b.test.ts"],
    [{ tests: [{ ...test, title: "is shut" }] }, 'expected a test of a.test.ts, got the title "is shut"'],
    [{ tests: [] }, "expected a test or a reason"],
    [{ files: [] }, "expected a file beside the test"],
    [{ text: "A door must be shut." }, "section 1: expected 1 keywords, got 0"],
    [{ section: "2" }, "section 2: expected 0 keywords, got 1"],
  ])("have a problem: %o", (change, problem) => {
    expect(problems(change)).toContainEqual(expect.stringContaining(problem));
  });

  it("have a state", () => {
    const of = (change: object): string => stateOf({ ...clause, ...change });
    const none = { tests: [], files: [] };
    expect([of({}), of({ except: "x" }), of({ tests: [] })]).toEqual(["tested", "in part", "reviewed"]);
    expect([of(none), of({ ...none, inapplicable: "x" })]).toEqual(["not done", "not applicable"]);
    expect([of({ ...none, binds: "x" }), of({ pending: "x" })]).toEqual(["others", "pending"]);
  });

  it("are counted in an RFC by section, without its definition of the keywords", () => {
    const rfc = `Table of Contents

   1.  Doors . . . . . . . 2

   The key words "MUST" and "SHOULD" are to be interpreted.

1.  Doors

   A door MUST be shut,\n   and SHOULD\n   NOT squeak.

Doe                         Standards Track                     [Page 1]
\f
RFC 1                       Doors                     January 2006

1.2.  "Hinges"

   REQUIRED. NOT RECOMMENDED: rust. must, MAY.
`;
    expect(countKeywords(rfc)).toEqual({ "1": 2, "1.2": 2 });
  });
});

it("reads titles with their groups, also of tables and loops", () => {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the title as it is written
  expect(testTitles(root, "a.test.ts")).toEqual(["a door > is shut", "a door > has ${2} hinges", "${title}"]);
});

it("compares the titles in links of a page", () => {
  writeFileSync(join(root, "page.md"), "[is shut](a.test.ts), [a door > is shut](a.test.ts), [is open](a.test.ts)");
  expect(pageProblems(root, "page.md")).toEqual(['page.md: expected a test of a.test.ts, got the title "is open"']);
});
