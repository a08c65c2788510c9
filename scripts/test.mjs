/**
 * `npm test`, after the bootstrap: installs peers, checks types, runs every test. Ends with `N passed, N failed`.
 * @module
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "./lib/run.mjs";
import { tallyLine } from "./lib/tally.mjs";

const folder = mkdtempSync(join(tmpdir(), "postern-test-"));
const POSTERN_TALLY = join(folder, "tally.json");
try {
  run("node", ["scripts/setup-tests.mjs"]);
  // Vitest strips the types without checking them, so the compiler counts as one test.
  console.log("types: tsc -b");
  const types = run("tsc", ["-b"]) === 0;
  console.log(types ? "types: no errors" : "types: errors, see above");
  // Some tests need the build.
  if (types) run("node", ["scripts/build.mjs"]);
  const status = run(...bounded("vitest", ["run", ...process.argv.slice(2)]), { env: { POSTERN_TALLY } });
  const tally = read();
  tally[types ? "passed" : "failed"]++;
  if (status !== 0 && tally.failed === 0) tally.failed = 1;
  console.log(tallyLine(tally));
  process.exitCode = tally.failed > 0 ? 1 : 0;
} finally {
  rmSync(folder, { recursive: true });
}

/** Limits the time from outside, because vitest cannot end a test that never yields. Not on a terminal, for Ctrl-C. */
function bounded(command, args) {
  const unattended = process.platform === "linux" && !process.stdout.isTTY;
  return unattended ? ["timeout", ["--kill-after=10", "40m", command, ...args]] : [command, args];
}

function read() {
  try {
    return JSON.parse(readFileSync(POSTERN_TALLY, "utf8"));
  } catch {
    console.log("expected a result of the tests, got none");
    return { passed: 0, failed: 1, skipped: 0 };
  }
}
