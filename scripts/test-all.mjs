/**
 * `npm run test:all`, after the bootstrap: the checks, every test, the documentation site, the other versions of
 * Node.js, and fifteen minutes of the soak. Runs all of them, and fails if one failed.
 * @module
 */
import { run } from "./lib/run.mjs";

const steps = [
  ["check", "scripts/check.mjs"],
  ["tests", "scripts/test.mjs"],
  ["site", "site/build.mjs"],
  ["pages of the site", "site/check.mjs"],
  ["runtimes", "scripts/test.mjs", ["--project", "integration", "integration/runtimes"], { POSTERN_NODES: "22,24,26" }],
  ["soak", "scripts/soak.mjs"],
];
const failed = steps.filter(([, script, args = [], env = {}]) => run("node", [script, ...args], { env }) !== 0);
console.log(failed.length === 0 ? "test:all: passed" : `test:all: failed: ${failed.map(([name]) => name).join(", ")}`);
process.exitCode = failed.length === 0 ? 0 : 1;
