/** Writes the clauses as pages of the documentation. @module */
import { stateOf, states } from "./clauses.mjs";

const note = "`node scripts/check-clauses.mjs --write` writes this page.";

/** Returns the pages, by path. @returns {Map<string, string>} */
export function clausePages(documents) {
  const pages = [...documents].map(([name, document]) => [`docs/audit/${name}.md`, documentPage(document)]);
  return new Map([["docs/audit/clauses.md", overview(documents)], ...pages]);
}

function overview(documents) {
  const names = Object.keys(states);
  const rows = [...documents].map(([name, { document, title, clauses }]) => [
    `[${document}](${name}.md)`,
    title,
    ...countsOf(clauses),
  ]);
  const all = [...documents.values()].flatMap(({ clauses }) => clauses);
  const meanings = Object.entries(states).map(([state, meaning]) => `- *${state}*: ${meaning}`);
  return [
    "# Clauses",
    `Every MUST, MUST NOT, SHOULD, SHOULD NOT, REQUIRED and RECOMMENDED of the RFCs that Postern implements, and every\nrule of the OpenSSH extensions that it speaks, with the code that follows it and the test that shows it. ${note}`,
    "`npm run check:clauses` fails if a named file or test does not exist, if a clause has neither a test nor a reason,\nor if the keywords of a section do not add up to the recorded number.",
    meanings.join("\n"),
    table(["document", "title", ...names, "all"], [...rows, ["all", "", ...countsOf(all)]]),
  ]
    .join("\n\n")
    .concat("\n");
}

/** Returns how many clauses are in each state, and their number. */
function countsOf(clauses) {
  const counts = Object.keys(states).map((state) => clauses.filter((one) => stateOf(one) === state).length);
  return [...counts, clauses.length].map(String);
}

function documentPage({ document, title, source, clauses }) {
  const parts = [...new Set(clauses.map(({ section }) => section))].map((section) => {
    const rows = clauses.filter((clause) => clause.section === section).map(row);
    return `## Section ${section}\n\n${table(["clause", "state", "code", "shown by"], rows)}`;
  });
  const intro = `The clauses of [${title}](${source}), shortened. ${note}\nThe states are explained in [Clauses](clauses.md).`;
  return [`# ${document}`, intro, ...parts].join("\n\n").concat("\n");
}

function row(clause) {
  const { text, files = [], tests = [], reason, binds, pending } = clause;
  const code = pending === undefined ? files.map((file) => `[${shortName(file)}](../../${file})`) : [];
  const shown = tests.map(({ file, title }) => `[${escape(title)}](../../${file})`);
  const words = [binds && `binds ${binds}`, reason, pending && `pending: ${pending}`].filter(Boolean).map(escape);
  return [escape(text), stateOf(clause), code.join("<br>"), [...shown, ...words].join("<br>")];
}

/** Shortens `packages/transport/src/kex-machine.ts` to `transport/kex-machine`. */
function shortName(file) {
  return file.replace(/^packages\/([^/]+)\/src\//, "$1/").replace(/\.ts$/, "");
}

/** Escapes what Markdown would read as a column, a tag, a link or a value to fill in. */
function escape(text) {
  return text.replaceAll(/[|<>[\]*_$`\\]/g, "\\$&");
}

function table(head, rows) {
  return [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}
