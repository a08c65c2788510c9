/**
 * Checks the workflows with GitHub's own parser, offline: their schema, their expressions, and the names of jobs that
 * others need. Also, that every `npm run` of a workflow is a script, and that every job states its rights and its time.
 * @module
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { readJson } from "./lib/packages.mjs";
import { root } from "./lib/run.mjs";

const { convertWorkflowTemplate, NoOperationTraceWriter, parseWorkflow } = await loadParser();
const { scripts } = readJson("package.json");
const folder = join(root, process.argv[2] ?? ".github/workflows");
const files = readdirSync(folder).filter((file) => /\.ya?ml$/.test(file));
let violations = 0;

for (const file of files) {
  const content = readFileSync(join(folder, file), "utf8");
  const { context, value } = parseWorkflow({ name: file, content }, new NoOperationTraceWriter());
  for (const error of context.errors.getErrors()) report(file, error.message);
  if (value === undefined) continue;
  const { errors = [], jobs } = await convertWorkflowTemplate(context, value);
  for (const { Message: message } of errors) report(file, message);
  if (!/^permissions:$/m.test(content)) report(file, "expected `permissions` of the whole workflow, got none");
  for (const job of jobs) checkJob(file, job, content);
}
console.log(`check-workflows: ${files.length} workflows, ${violations} violations`);
process.exitCode = violations > 0 ? 1 : 0;

function checkJob(file, { id, steps = [] }, content) {
  const timed = new RegExp(`^  ${id.value}:\\n(?:    .*\\n|\\n)*?    timeout-minutes: `, "m").test(content);
  if (!timed) report(file, `expected timeout-minutes of the job ${id.value}, got none`);
  for (const step of steps) {
    const run = step.run?.toDisplayString?.() ?? "";
    if (/\$\{\{\s*github\.(event|head_ref|ref_name)/.test(run)) report(file, `expected no input of others in: ${run}`);
    for (const [, name] of run.matchAll(/\bnpm run ([\w:-]+)/g)) {
      if (scripts[name] === undefined) report(file, `expected a script ${name} in package.json, got none`);
    }
  }
}

function report(file, message) {
  violations++;
  console.error(`.github/workflows/${file}: ${message}`);
}

/** Bundles the parser, because it imports JSON without an attribute, which only bundlers accept. */
async function loadParser() {
  const contents = `export * from "@actions/workflow-parser";
    export { NoOperationTraceWriter } from "@actions/workflow-parser/templates/trace-writer";`;
  // The parser's YAML library is CommonJS.
  const banner = { js: 'import { createRequire } from "node:module"; const require = createRequire("file:///");' };
  const options = { bundle: true, format: "esm", platform: "node", write: false, logLevel: "error", banner };
  const { outputFiles } = await build({ ...options, stdin: { contents, resolveDir: root } });
  return await import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString("base64")}`);
}
