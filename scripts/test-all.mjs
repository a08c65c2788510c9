/**
 * `npm run test:all -- [--only NAMES] [--skip NAMES] [--jobs N]`, after the bootstrap: the checks, every test in its
 * long variant, OpenSSH's scripts, the coverage, the mutation run, the documentation site, the other versions of
 * Node.js, and fifteen minutes each of the soak and of fuzzing. NAMES are separated by commas. Steps whose verdict does
 * not depend on time run N at the same time (default: 2). Runs all steps, prints the time of each, and fails if one
 * failed. Logs are in `coverage/test-all`.
 * @module
 */
import { join } from "node:path";
import { positiveInteger, readOptions, refuse } from "./lib/options.mjs";
import { root, run } from "./lib/run.mjs";
import { chooseSteps, runSteps, tableOf } from "./lib/steps.mjs";

/** `alone`: builds files that others read, or has deadlines. The limits are several times what an idle machine needs. */
const steps = [
  { name: "check", alone: true, minutes: 60, commands: [["node", "scripts/check.mjs"]] },
  {
    name: "tests",
    alone: true,
    minutes: 60,
    commands: [["node", "scripts/test.mjs"]],
    env: { POSTERN_TESTS: "all" },
  },
  {
    name: "runtimes",
    alone: true,
    minutes: 45,
    commands: [["node", "scripts/test.mjs", "--project", "integration", "integration/runtimes"]],
    env: { POSTERN_NODES: "22,24,26" },
  },
  { name: "soak", alone: true, minutes: 30, commands: [["node", "scripts/soak.mjs"]] },
  { name: "regress", alone: true, minutes: 120, commands: [["node", "scripts/regress.mjs"]] },
  { name: "mutation", minutes: 120, commands: [["node", "scripts/mutation.mjs"]] },
  { name: "coverage", minutes: 60, commands: [["node", "scripts/coverage.mjs"]] },
  {
    name: "site",
    minutes: 60,
    commands: [
      ["node", "site/build.mjs"],
      ["node", "site/check.mjs"],
    ],
  },
  { name: "fuzz", minutes: 30, commands: [["node", "scripts/fuzz.mjs", "--seconds", "900"]] },
];

const usage = `npm run test:all [-- OPTIONS]
  --only NAMES   these steps, separated by commas, of: ${steps.map(({ name }) => name).join(", ")}
  --skip NAMES   all steps but these
  --jobs N       how many steps run at the same time if their verdict does not depend on time; default 2`;
const { values } = readOptions(usage, {
  options: { only: { type: "string" }, skip: { type: "string" }, jobs: { type: "string", default: "2" } },
});
const jobs = positiveInteger("jobs", values.jobs);
const chosen = chosenSteps();
const folder = join(root, "coverage/test-all");
const report = (text) => console.log(`test:all: ${text}`);
// Several steps need the build.
if (run("node", ["scripts/build.mjs"]) !== 0) process.exit(1);
const results = await runSteps(chosen, { folder, jobs, report });
const failed = results.filter(({ code }) => code !== 0).map(({ name }) => name);
console.log(tableOf(results));
report(failed.length === 0 ? "passed" : `failed: ${failed.join(", ")}`);
process.exitCode = failed.length === 0 ? 0 : 1;

function chosenSteps() {
  try {
    return chooseSteps(steps, values);
  } catch (error) {
    return refuse(error.message);
  }
}
