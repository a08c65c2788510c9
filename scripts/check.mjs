/** `npm run check`, after the bootstrap: runs every `check:*` script of package.json, in order. @module */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root, run } from "./lib/run.mjs";

const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const steps = Object.entries(scripts).filter(([name]) => name.startsWith("check:"));

// Runs every step even after a failure, so that one run shows all failures.
const failed = [];
for (const [name, commandLine] of steps) {
  console.log(`\n== ${name} (${commandLine})`);
  const [command, ...args] = commandLine.split(" ");
  if (run(command, args) !== 0) failed.push(name);
}
console.log(failed.length === 0 ? `\ncheck: ${steps.length} steps passed` : `\ncheck: failed: ${failed.join(", ")}`);
process.exitCode = failed.length > 0 ? 1 : 0;
