/** `node scripts/generate-states.mjs`: explores the session machines, and writes docs/audit/states.md. @module */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { exploreStates } from "./lib/fuzz/state-tables.mjs";
import { root } from "./lib/run.mjs";

const { page, violations, roles } = await exploreStates();
mkdirSync(join(root, "docs", "audit"), { recursive: true });
writeFileSync(join(root, "docs", "audit", "states.md"), page);
for (const { role, found } of roles) {
  console.log(`${role}: ${found.states.size} states, ${found.transitions.length} transitions, ${found.runs} sessions`);
}
for (const violation of violations) console.error(`expected what the RFC allows: ${violation}`);
process.exitCode = violations.length === 0 ? 0 : 1;
