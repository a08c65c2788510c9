/**
 * `npm run coverage`, after the bootstrap: runs the tests of the layers that read a peer's input, and prints how many
 * branches they take. Fails if a branch is not taken and `scripts/untaken-branches.json` does not name it, or if an
 * entry there matches no such branch. `--no-run` checks the last run again.
 * @module
 */
import { readFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { parseArgs } from "node:util";
import { entriesWithoutBranch, tallyByPackage, unnamedBranches, untakenBranches } from "./lib/branches.mjs";
import { root, run } from "./lib/run.mjs";

const packages = ["wire", "crypto", "keys", "transport", "auth", "connection"];
const tests = [
  // The tests of `crypto` are the vectors of its primitives, in `noble`.
  ...[...packages.filter((name) => name !== "crypto"), "noble"].map((name) => `packages/${name}/test`),
  // Key files that need triple DES, the options of a key, and the signers of a platform.
  ...["keys", "private-key", "signer"].map((name) => `packages/node/test/${name}.test.ts`),
  // The keys that `postern keygen` rewrites, and channels that are passed on to another connection.
  "packages/cli/test/keygen.test.ts",
  "packages/ssh/test/plain-connection.test.ts",
  "test-vectors",
];
const folder = join(root, "coverage/branches");

const { values } = parseArgs({ options: { "no-run": { type: "boolean" } } });
if (!values["no-run"]) runTests();

const report = JSON.parse(readFileSync(join(folder, "coverage-final.json"), "utf8"));
const files = Object.values(report).map((coverage) => {
  const file = relative(root, coverage.path).split(sep).join("/");
  return { file, coverage, lines: readFileSync(coverage.path, "utf8").split("\n") };
});
const untaken = files.flatMap(untakenBranches);
const named = JSON.parse(readFileSync(new URL("./untaken-branches.json", import.meta.url), "utf8"));
const unnamed = unnamedBranches(untaken, named);
const stale = entriesWithoutBranch(untaken, named);

for (const { name, total, taken } of tallyByPackage(files)) {
  console.log(`${name}: ${taken} of ${total} branches taken`);
}
for (const { file, number, line } of unnamed) {
  console.log(`${file}:${number}: expected a test that takes this branch, or its reason, got none: ${line}`);
}
for (const { file, line } of stale) console.log(`${file}: expected an untaken branch, got none, remove: ${line}`);
const passed = unnamed.length + stale.length === 0;
console.log(passed ? "coverage: every branch is taken or named" : "coverage: failed, see above");
process.exitCode = passed ? 0 : 1;

function runTests() {
  const flags = {
    enabled: true,
    provider: "v8",
    reporter: "json",
    reportsDirectory: folder,
    // For `--no-run`.
    reportOnFailure: true,
    include: `packages/{${packages.join(",")}}/src/**`,
  };
  const coverage = Object.entries(flags).map(([name, value]) => `--coverage.${name}=${value}`);
  const status = run("vitest", [
    "run",
    "--project",
    "unit",
    "--no-isolate",
    "--reporter=dot",
    // Counting branches makes the slow tests slower.
    "--testTimeout=300000",
    ...tests,
    ...coverage,
  ]);
  if (status !== 0) process.exit(status);
}
