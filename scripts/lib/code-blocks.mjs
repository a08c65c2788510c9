/**
 * The code blocks of Markdown pages, and the output that they claim. A block of TypeScript or JavaScript is a program
 * that a test runs, unless the word `fragment` follows its language.
 * @module
 */

/**
 * Splits a page into its fenced code blocks, with the number of their first line, and the text between them.
 * @param {string} page
 */
export function splitPage(page) {
  const blocks = [];
  const kept = [];
  let open;
  for (const [index, line] of page.split("\n").entries()) {
    const [, fence, language, mark] = /^\s*(```+)(\S*)\s*(.*)$/.exec(line) ?? [];
    if (open !== undefined && fence === open.fence && language === "") {
      blocks.push({ language: open.language, mark: open.mark, line: open.line, code: open.lines.join("\n") });
      open = undefined;
    } else if (open !== undefined) open.lines.push(line);
    else if (fence !== undefined) open = { fence, language, mark, line: index + 2, lines: [] };
    else kept.push(line);
  }
  return { blocks, text: kept.join("\n") };
}

/**
 * Returns the programs of a page: its blocks of TypeScript and JavaScript that are not fragments.
 * @param {string} page
 */
export function programsOf(page) {
  return splitPage(page).blocks.filter(({ language, mark }) => ["ts", "js"].includes(language) && mark === "");
}

/**
 * Returns the test that runs the programs of a page, or undefined if none does.
 * @param {string} file
 */
export function testOf(file) {
  if (/^packages\/[\w-]+\/README\.md$/.test(file)) return "scripts/test/readmes.test.ts";
  if (/^(README|docs\/.+|examples\/[\w-]+\/README)\.md$/.test(file)) return "integration/documents.test.ts";
  return undefined;
}

/**
 * Returns the lines that a program claims to print, one for each comment `// prints …`.
 * @param {string} code
 */
export function claimedOutput(code) {
  return [...code.matchAll(/\/\/ prints (.*)$/gm)].map(([, text]) => text);
}
