/**
 * Checks the clauses in `docs/audit/clauses`, and that their pages are up to date: each file and each test that is
 * named exists, each clause has a test or a reason, and no keyword of a section is left out. Also checks the titles of
 * the tests to which `docs/security.md` links.
 *
 * - `npm run check:clauses`
 * - `node scripts/check-clauses.mjs --write` writes the pages.
 * - `node scripts/check-clauses.mjs --count rfc4253.txt` prints how often each section of an RFC has a keyword.
 * @module
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { clausePages } from "./lib/clause-pages.mjs";
import { countKeywords, pageProblems, problemsOf, readClauses, stateOf, states } from "./lib/clauses.mjs";
import { root } from "./lib/run.mjs";

const [mode, file] = process.argv.slice(2);
if (mode === "--count") console.log(JSON.stringify(countKeywords(readFileSync(file, "utf8"))));
else check(mode === "--write");

function check(writes) {
  const documents = readClauses(root);
  const problems = [...documents].flatMap(([name, document]) =>
    problemsOf(root, document).map((problem) => `${name}.json: ${problem}`),
  );
  for (const [page, text] of clausePages(documents)) {
    const path = join(root, page);
    if (writes) writeFileSync(path, text);
    else if (readOr(path) !== text) problems.push(`${page}: expected the text of the clauses: check-clauses --write`);
  }
  problems.push(...pageProblems(root, "docs/security.md"));
  for (const problem of problems) console.error(problem);
  const all = [...documents.values()].flatMap(({ clauses }) => clauses);
  const counts = Object.keys(states).map((state) => `${all.filter((one) => stateOf(one) === state).length} ${state}`);
  console.log(`check-clauses: ${all.length} clauses (${counts.join(", ")}), ${problems.length} problems`);
  process.exitCode = problems.length > 0 ? 1 : 0;
}

function readOr(path) {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
