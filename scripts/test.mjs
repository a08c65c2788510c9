/** `npm test`, after the bootstrap: peers, types, every test; the last line is `N passed, N failed`. @module */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "./lib/run.mjs";
import { tallyLine } from "./lib/tally.mjs";

const folder = mkdtempSync(join(tmpdir(), "postern-test-"));
const POSTERN_TALLY = join(folder, "tally.json");
try {
  run("node", ["scripts/setup-tests.mjs"]);
  // Vitest takes the types out without a look at them, so the compiler counts as one test.
  console.log("types: tsc -b");
  const types = run("tsc", ["-b"]) === 0;
  console.log(types ? "types: they hold" : "types: they do not hold, see above");
  // Some tests look at what would be published.
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

/** A test that never yields cannot be timed out from within. On a terminal, Ctrl-C must go on reaching the tests instead. */
function bounded(command, args) {
  const unattended = process.platform === "linux" && !process.stdout.isTTY;
  return unattended ? ["timeout", ["--kill-after=10", "30m", command, ...args]] : [command, args];
}

function read() {
  try {
    return JSON.parse(readFileSync(POSTERN_TALLY, "utf8"));
  } catch {
    console.log("the tests ended without a result");
    return { passed: 0, failed: 1, skipped: 0 };
  }
}
