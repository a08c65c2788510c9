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
  return `${[
    "# Clauses",
    `Every MUST, MUST NOT, SHALL, SHOULD, SHOULD NOT, REQUIRED and RECOMMENDED of the RFCs that Postern implements, and
every rule of the OpenSSH extensions that it speaks, with the code that follows it and the test that shows it. ${note}`,
    `\`npm run check:clauses\` fails if a file or a test does not exist, if a clause has neither a test nor a reason, or
if the keywords of a section do not add up to the number in the RFC. The data is in \`docs/audit/clauses\`. To count
the keywords of an RFC yourself: \`node scripts/check-clauses.mjs --count rfc4253.txt\`.`,
    Object.entries(states)
      .map(([state, meaning]) => `- *${state}*: ${meaning}`)
      .join("\n"),
    table(["document", "title", ...names, "all"], [...rows, ["all", "", ...countsOf(all)]]),
    `In the tables, \`transport/kex-machine\` is the file \`packages/transport/src/kex-machine.ts\`, and
\`transport/kex.test\` is \`packages/transport/test/kex.test.ts\`. Titles of tests are as in the source: \`%s\` and
\`\${…}\` stand for the cases of a table. \`noble/vectors.test\` and \`node/crypto-vectors.test\` run every vector of
\`test-vectors\`, a test for each.`,
  ].join("\n\n")}\n`;
}

/** Returns how many clauses are in each state, and their number. */
function countsOf(clauses) {
  const counts = Object.keys(states).map((state) => clauses.filter((one) => stateOf(one) === state).length);
  return [...counts, clauses.length].map(String);
}

function documentPage({ document, title, source, clauses }) {
  const parts = [...new Set(clauses.map(({ section }) => section))].map((section) => {
    const rows = clauses.filter((clause) => clause.section === section).map(row);
    const heading = /^\d/.test(section) ? `Section ${section}` : section;
    return `## ${heading}\n\n${table(["clause", "state", "code", "shown by"], rows)}`;
  });
  const intro = `The clauses of [${title}](${source}), shortened. [Clauses](clauses.md) explains the states.\n${note}`;
  return `${[`# ${document}: clauses`, intro, ...parts].join("\n\n")}\n`;
}

function row(clause) {
  const { text, files = [], tests = [], except, remark, inapplicable, binds, pending } = clause;
  const code = files.map((file) => `\`${shortName(file)}\``);
  const shown = tests.map(({ file, title }) => `\`${shortName(file)}\`: ${escaped(title)}`);
  const words = [
    binds && `binds ${binds}`,
    except && `Except: ${except}`,
    remark,
    inapplicable,
    pending && `pending: ${pending}`,
  ]
    .filter(Boolean)
    .map(escaped);
  return [escaped(text), stateOf(clause), code.join("<br>"), [...shown, ...words].join("<br>")];
}

/** Shortens `packages/transport/src/kex-machine.ts` to `transport/kex-machine`. */
function shortName(file) {
  return file.replace(/^packages\/([^/]+)\/(?:src|test)\//, "$1/").replace(/\.ts$/, "");
}

/** Escapes what Markdown would read as a column, a tag, a link or emphasis. */
function escaped(text) {
  return text.replaceAll(/[|<>[\]*_$`\\]/g, "\\$&");
}

function table(head, rows) {
  return [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}
