/**
 * Runs all traces against every implementation that is installed, and writes the table of their verdicts:
 *
 *     node test-vectors/runner/compare.mjs [--only NAME,...] [--write]
 *
 * `--write` replaces `docs/audit/implementations.md`; otherwise the page is printed.
 * @module
 */
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { runSuite, tracesFor } from "./suite.mjs";

const { values } = parseArgs({ options: { only: { type: "string" }, write: { type: "boolean" } } });
const shims = fileURLToPath(new URL("../shims/", import.meta.url));
const others = ["openssh", "dropbear", "asyncssh", "paramiko", "go", "libssh", "ssh2"];
const commands = new Map([
  ["postern", [process.execPath, `${shims}postern.mjs`]],
  ...others.map((name) => [name, [process.execPath, `${shims}program.mjs`, name]]),
]);
const chosen = values.only?.split(",") ?? [...commands.keys()];
const page = [
  "# Implementations and state traces",
  "",
  "Written by `node test-vectors/runner/compare.mjs --write`. Each implementation ran the traces of",
  "[`test-vectors/traces`](../../test-vectors/README.md) over loopback. A number is how many traces ended as the RFCs",
  "allow; traces of strict key exchange are left out for implementations that do not offer it. Below each table, a row",
  "shows what a trace expected, and what came instead.",
];

for (const role of ["server", "client"]) {
  const columns = [];
  for (const name of chosen) {
    try {
      columns.push(await runSuite(commands.get(name) ?? [], role, { timeoutMs: 10_000 }));
    } catch (error) {
      console.error(`${name} as ${role}: not run (${String(error)})`);
      continue;
    }
    const { name: title, results } = columns.at(-1);
    console.error(
      `${title} as ${role}: ${results.filter(({ problem }) => problem === undefined).length} of ${results.length}`,
    );
  }
  page.push("", `## As ${role}`, "", ...summary(columns, role), "", ...deviations(columns));
}
const text = `${page.join("\n")}\n`;
if (values.write) writeFileSync(new URL("../../docs/audit/implementations.md", import.meta.url), text);
else console.log(text);

/** A row for each file of traces. */
function summary(columns, role) {
  const files = [...new Set(tracesFor(role).map(({ file }) => file))];
  const cells = (file) =>
    columns.map(({ results }) => {
      const own = results.filter(({ trace }) => trace.file === file);
      return `${own.filter(({ problem }) => problem === undefined).length} of ${own.length}`;
    });
  return [
    row(["traces", ...columns.map(({ name }) => name)]),
    row(["---", ...columns.map(() => "---")]),
    ...files.map((file) => row([file.replace(".json", ""), ...cells(file)])),
  ];
}

/** A row for each trace that some implementation did not pass. */
function deviations(columns) {
  const rows = columns.flatMap(({ name, results }) =>
    results
      .filter(({ problem }) => problem !== undefined)
      .map(({ trace, problem }) => {
        const id = `${trace.file.replace(".json", "")} ${trace.tcId}`;
        return {
          id,
          key: `${trace.file} ${String(trace.tcId).padStart(5)}`,
          cells: [id, trace.comment, trace.clause, name, problem],
        };
      }),
  );
  rows.sort((a, b) => (a.key < b.key ? -1 : 1));
  return [
    row(["trace", "course", "clause", "implementation", "verdict"]),
    row(["---", "---", "---", "---", "---"]),
    ...rows.map(({ cells }) => row(cells)),
  ];
}

function row(cells) {
  return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
}
