/** The clauses of the RFCs and of OpenSSH's extensions, and where each is done and shown. @module */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { testTitles } from "./test-titles.mjs";

/**
 * @typedef {{
 *   section: string,
 *   text: string,
 *   files?: string[],
 *   tests?: { file: string, title: string }[],
 *   except?: string,
 *   remark?: string,
 *   inapplicable?: string,
 *   binds?: string,
 *   pending?: string,
 * }} Clause
 * @typedef {{
 *   document: string,
 *   title: string,
 *   source: string,
 *   counted: "keywords" | "clauses",
 *   counts: Record<string, number>,
 *   clauses: Clause[],
 * }} ClauseFile
 */

const folder = "docs/audit/clauses";

/** The words of RFC 2119 that bind. MAY and OPTIONAL leave a choice, and are not listed. */
const keywords = /\b(?:(?:MUST|SHALL|SHOULD)(?: NOT)?|(?:NOT )?RECOMMENDED|REQUIRED)\b/g;

/** The states of a clause, and their meaning. */
export const states = {
  tested: "done, and shown by a test",
  "in part": "done and shown by a test, with the exception that is named",
  reviewed: "done, and not shown by a test, with the reason",
  "not done": "not followed, with the reason",
  "not applicable": "about a function that Postern does not have, or not a rule",
  others: "binds the program, its user, an administrator, an agent or a registry",
  pending: "the code or the test is still missing",
};

/** Returns the state of a clause. */
export function stateOf({ files = [], tests = [], except, inapplicable, binds, pending }) {
  if (pending !== undefined) return "pending";
  if (binds !== undefined) return "others";
  if (inapplicable !== undefined) return "not applicable";
  if (except !== undefined) return "in part";
  if (tests.length > 0) return "tested";
  return files.length > 0 ? "reviewed" : "not done";
}

/** Reads all files of clauses, by name. @returns {Map<string, ClauseFile>} */
export function readClauses(root) {
  const names = readdirSync(join(root, folder)).filter((name) => name.endsWith(".json"));
  return new Map(
    names.sort().map((name) => [name.slice(0, -5), JSON.parse(readFileSync(join(root, folder, name), "utf8"))]),
  );
}

/** Returns how often the keywords occur in a text. */
function keywordsIn(text) {
  return [...text.matchAll(keywords)].length;
}

/** Returns how often the keywords occur in each section of an RFC, without its own definition of the keywords. */
export function countKeywords(rfc) {
  const counts = {};
  let section = "Abstract";
  for (const paragraph of rfc.replaceAll(/\f|^.*\[Page \d+\]\r?$|^RFC \d+ .*\d{4}\r?$/gm, "").split(/\n\s*\n/)) {
    section = /^\s?(\d+(?:\.\d+)*)\.?\s+["A-Z](?!.*\. \.)(?!.*\.{3})/.exec(paragraph)?.[1] ?? section;
    if (/key ?words|interpreted as described/.test(paragraph)) continue;
    const count = keywordsIn(paragraph.replaceAll(/\s+/g, " "));
    if (count > 0) counts[section] = (counts[section] ?? 0) + count;
  }
  return counts;
}

/** Returns the problems of a page: each link to a file of tests has the title of one of them. */
export function pageProblems(root, page) {
  const links = readFileSync(join(root, page), "utf8").matchAll(/\[((?:[^\]\\]|\\.)+)\]\(([^)\s]+\.test\.ts)\)/g);
  return [...links].flatMap(([, label, target]) => {
    const file = posix.join(posix.dirname(page), target);
    const title = label.replaceAll(/\\(.)|\s+/g, (_, character) => character ?? " ");
    const isKnown = testTitles(root, file).some((one) => one === title || one.endsWith(` > ${title}`));
    return isKnown ? [] : [`${page}: expected a test of ${file}, got the title "${title}"`];
  });
}

/** Returns the problems of a file of clauses: names that do not exist, clauses without a proof, and wrong counts. */
export function problemsOf(root, { counted, counts, clauses }) {
  const problems = [];
  const titles = new Map();
  for (const clause of clauses) {
    const at = `${clause.section}: "${clause.text.slice(0, 60)}"`;
    const { files = [], tests = [], pending } = clause;
    if (pending !== undefined) continue;
    for (const file of files) if (!existsSync(join(root, file))) problems.push(`${at}: expected a file, got ${file}`);
    for (const { file, title } of tests) {
      if (!titles.has(file)) titles.set(file, existsSync(join(root, file)) ? testTitles(root, file) : undefined);
      const known = titles.get(file);
      if (known === undefined) problems.push(`${at}: expected a file of tests, got ${file}`);
      else if (!known.includes(title)) problems.push(`${at}: expected a test of ${file}, got the title "${title}"`);
    }
    if (tests.length > 0 && files.length === 0) problems.push(`${at}: expected a file beside the test`);
    if (tests.length === 0 && (clause.remark ?? clause.inapplicable ?? clause.binds) === undefined)
      problems.push(`${at}: expected a test or a reason`);
  }
  const found = {};
  for (const { section, text } of clauses)
    found[section] = (found[section] ?? 0) + (counted === "keywords" ? keywordsIn(text) : 1);
  for (const section of new Set([...Object.keys(counts), ...Object.keys(found)])) {
    const [expected = 0, got = 0] = [counts[section], found[section]];
    if (expected !== got) problems.push(`section ${section}: expected ${expected} ${counted}, got ${got}`);
  }
  return problems;
}
