/**
 * Runs the state traces against an implementation:
 *
 *     node test-vectors/runner/run.mjs --role server [--only TEXT] [--json FILE] -- COMMAND OF A SHIM
 *
 * Prints one line per failed trace and a summary. The exit code is 1 if a trace failed.
 * @module
 */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { runSuite, tracesFor } from "./suite.mjs";

const { values, positionals } = parseArgs({
  options: { role: { type: "string" }, only: { type: "string" }, json: { type: "string" }, user: { type: "string" } },
  allowPositionals: true,
});
const { role, only = "", json, user } = values;
if ((role !== "client" && role !== "server") || positionals.length === 0) {
  console.error("expected: run.mjs --role client|server [--only TEXT] [--json FILE] [--user NAME] -- SHIM...");
  process.exit(2);
}
const traces = tracesFor(role).filter(({ comment, file, tcId }) => `${file} ${tcId} ${comment}`.includes(only));
const { name, results } = await runSuite(positionals, role, { traces, ...(user === undefined ? {} : { user }) });
const failed = results.filter(({ problem }) => problem !== undefined);
for (const { trace, problem } of failed) console.log(`${trace.file} ${trace.tcId}: ${trace.comment}\n    ${problem}`);
console.log(`${name} as ${role}: ${results.length - failed.length} of ${results.length} traces passed`);
if (json !== undefined) {
  const verdicts = results.map(({ trace, problem }) => ({ file: trace.file, tcId: trace.tcId, problem }));
  writeFileSync(json, JSON.stringify({ name, role, verdicts }, undefined, 1));
}
process.exitCode = failed.length > 0 ? 1 : 0;
