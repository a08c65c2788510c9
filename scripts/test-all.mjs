/**
 * `npm run test:all`, after the bootstrap: the checks, every test in its long variant, OpenSSH's scripts, the coverage,
 * the mutation run, the documentation site, the other versions of Node.js, and fifteen minutes each of the soak and of
 * fuzzing. Runs all of them, and fails if one failed.
 * @module
 */
import { run } from "./lib/run.mjs";

const steps = [
  { name: "check", args: ["scripts/check.mjs"] },
  { name: "tests", args: ["scripts/test.mjs"], env: { POSTERN_TESTS: "all" } },
  { name: "OpenSSH's scripts", args: ["scripts/regress.mjs"] },
  { name: "coverage", args: ["scripts/coverage.mjs"] },
  { name: "mutation", args: ["scripts/mutation.mjs"] },
  { name: "site", args: ["site/build.mjs"] },
  { name: "pages of the site", args: ["site/check.mjs"] },
  {
    name: "runtimes",
    args: ["scripts/test.mjs", "--project", "integration", "integration/runtimes"],
    env: { POSTERN_NODES: "22,24,26" },
  },
  { name: "soak", args: ["scripts/soak.mjs"] },
  { name: "fuzz", args: ["scripts/fuzz.mjs", "--seconds", "900"] },
];
const failed = steps.filter(({ args, env }) => run("node", args, { env }) !== 0).map(({ name }) => name);
console.log(failed.length === 0 ? "test:all: passed" : `test:all: failed: ${failed.join(", ")}`);
process.exitCode = failed.length === 0 ? 0 : 1;
