/** `npm run check`, after the bootstrap: every `check:*` script of package.json, in their order. @module */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root, run } from "./lib/run.mjs";

const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const steps = Object.entries(scripts).filter(([name]) => name.startsWith("check:"));

// Every step is run: one look shows all that is to do.
const failed = [];
for (const [name, commandLine] of steps) {
  console.log(`\n== ${name} (${commandLine})`);
  const [command, ...args] = commandLine.split(" ");
  if (run(command, args) !== 0) failed.push(name);
}
console.log(failed.length === 0 ? `\ncheck: ${steps.length} steps, all well` : `\ncheck: failed: ${failed.join(", ")}`);
process.exitCode = failed.length > 0 ? 1 : 0;
