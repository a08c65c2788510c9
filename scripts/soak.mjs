/** `npm run soak -- --minutes N --seed TEXT`: runs traffic with faults and prints the figures. @module */
import { parseArgs } from "node:util";
import { run } from "./lib/run.mjs";

const { values } = parseArgs({
  options: { minutes: { type: "string", default: "15" }, seed: { type: "string", default: String(Date.now()) } },
});
const minutes = Number(values.minutes);
if (!(minutes > 0)) {
  console.error(`expected --minutes to be a positive number, got ${values.minutes}`);
  process.exit(2);
}
run("node", ["scripts/setup-tests.mjs"]);
process.exitCode = run("vitest", ["run", "--project", "integration", "integration/soak.test.ts"], {
  env: { POSTERN_SOAK_MINUTES: String(minutes), POSTERN_SOAK_SEED: values.seed },
});
