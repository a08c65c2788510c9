/**
 * Plays all traces against implementations that are installed, and writes the table of their verdicts:
 *
 *     node test-vectors/runner/compare.mjs [--only NAME,...] [--role client|server] [--shims 4]
 *
 * Each run replaces `traces/verdicts/NAME-ROLE.txt`; then `docs/audit/implementations.md` is written from all of them.
 * @module
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { runSuite, tracesFor } from "./suite.mjs";

const { values } = parseArgs({
  options: { only: { type: "string" }, role: { type: "string" }, shims: { type: "string", default: "4" } },
});
const roles = ["server", "client"];
const names = [
  "postern",
  "openssh",
  "newer-openssh",
  "dropbear",
  "newer-dropbear",
  "asyncssh",
  "paramiko",
  "go",
  "libssh",
  "ssh2",
];
const shims = fileURLToPath(new URL("../shims/", import.meta.url));
const folder = new URL("../traces/verdicts/", import.meta.url);

mkdirSync(folder, { recursive: true });
for (const role of roles.filter((one) => (values.role ?? one) === one)) {
  for (const name of values.only?.split(",") ?? names) await record(name, role);
}
writeFileSync(new URL("../../docs/audit/implementations.md", import.meta.url), page());

/** Plays all traces against one implementation, and stores its name, the number of traces and the deviations. */
async function record(name, role) {
  const options = { timeoutMs: 10_000, shims: Number(values.shims) };
  const shim = name === "postern" ? [`${shims}postern.mjs`] : [`${shims}program.mjs`, name];
  try {
    const { name: title, results } = await runSuite([process.execPath, ...shim], role, options);
    const deviations = results
      .filter(({ problem }) => problem !== undefined)
      .map(({ trace, problem }) => ({ file: trace.file, tcId: trace.tcId, problem }));
    const played = countByFile(results.map(({ trace }) => trace));
    const verdicts = { name: title, role, played, deviations };
    writeFileSync(new URL(`${name}-${role}.txt`, folder), `${JSON.stringify(verdicts, undefined, 1)}\n`);
    console.log(`${title} as ${role}: ${results.length - deviations.length} of ${results.length}`);
  } catch (error) {
    console.log(`${name} as ${role}: not run (${String(error)})`);
  }
}

function countByFile(traces) {
  const counts = {};
  for (const { file } of traces) counts[file] = (counts[file] ?? 0) + 1;
  return counts;
}

function page() {
  const verdicts = readdirSync(folder).map((file) => JSON.parse(readFileSync(new URL(file, folder), "utf8")));
  const sections = roles.flatMap((role) => {
    const columns = verdicts.filter((one) => one.role === role).sort(inOrder);
    return columns.length === 0 ? [] : ["", `## As ${role}`, "", ...summary(columns), "", ...deviations(columns, role)];
  });
  return `${[
    "# Implementations and state traces",
    "",
    "Written by `node test-vectors/runner/compare.mjs`. Each implementation played the",
    "[state traces](../../test-vectors/traces/README.md) over loopback. A number is how many traces ended as the RFCs",
    "allow. Traces of strict key exchange are left out if an implementation does not offer it. The second table of each",
    "role has the other traces: what was expected, and what came instead. It says nothing about whether a difference",
    "matters. The versions are those of Debian 12, and of npm for ssh2. OpenSSH 10.0 and dropbear 2025.89 are those of",
    "Debian 13. There may be newer releases elsewhere.",
    "",
    "`silent` means that the implementation sent nothing for ten seconds, and left the connection open. asyncssh, Go,",
    "libssh, paramiko and ssh2 are libraries: the programs around them are in `integration/peers/programs` and",
    "`integration/harness/clients`. A verdict is about the library and its program together.",
    ...sections,
  ].join("\n")}\n`;
}

/** Postern first, the others by name. */
function inOrder({ name }, other) {
  if (name.startsWith("Postern")) return -1;
  return other.name.startsWith("Postern") ? 1 : name.localeCompare(other.name);
}

function summary(columns) {
  const files = [...new Set(columns.flatMap(({ played }) => Object.keys(played)))].toSorted((one, other) =>
    one.localeCompare(other),
  );
  return [
    row(["traces", ...columns.map(({ name }) => name)]),
    row(["---", ...columns.map(() => "---")]),
    ...files.map((file) => {
      const cells = columns.map(({ played, deviations: other }) => {
        const count = played[file] ?? 0;
        return `${count - other.filter((one) => one.file === file).length} of ${count}`;
      });
      return row([file.replace(".json", ""), ...cells]);
    }),
  ];
}

/** A row for each trace and implementation that differs. */
function deviations(columns, role) {
  const traces = new Map(tracesFor(role).map((trace) => [`${trace.file} ${trace.tcId}`, trace]));
  const rows = columns.flatMap(({ name, deviations: own }) =>
    own.map(({ file, tcId, problem }) => ({ name, problem, ...traces.get(`${file} ${tcId}`) })),
  );
  rows.sort((one, other) => one.file.localeCompare(other.file) || one.tcId - other.tcId);
  if (rows.length === 0) return ["Every trace ended as the RFCs allow."];
  return [
    row(["trace", "course", "clause or flaw", "implementation", "verdict"]),
    row(["---", "---", "---", "---", "---"]),
    ...rows.map(({ file, tcId, comment, clause, flags, name, problem }) => {
      const reason = clause === "see the note" ? flags.join(", ") : clause;
      return row([`${file.replace(".json", "")} ${tcId}`, comment, reason, name, problem]);
    }),
  ];
}

function row(cells) {
  return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
}
