/**
 * `npm run regress -- [--subject client|host|openssh|wrapper] [--release bookworm|trixie|forky] [--write]
 * [--program FOLDER] [--jobs N] [SCRIPT …]`: runs OpenSSH's own scripts with `postern` in place of `ssh` (client) or
 * `sshd` (host), or with OpenSSH's programs alone (openssh, and wrapper with the wrapper of the role host). Compares
 * with docs/audit/regress.md, or writes it. Default: all scripts, each in its roles, four at a time, with the program
 * that `npm run build` made. FOLDER is that of another one, such as `node_modules/postern`.
 * @module
 */
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { run } from "./lib/run.mjs";

const { values, positionals } = parseArgs({
  options: {
    subject: { type: "string" },
    release: { type: "string" },
    write: { type: "boolean" },
    program: { type: "string" },
    jobs: { type: "string", default: "4" },
  },
  allowPositionals: true,
});
const jobs = Number(values.jobs);
if (!(Number.isInteger(jobs) && jobs > 0)) {
  console.error(`expected --jobs to be a positive integer, got ${values.jobs}`);
  process.exit(2);
}
run("node", ["scripts/setup-tests.mjs"]);
const args = ["--project", "integration", "integration/regress.test.ts", `--maxConcurrency=${jobs}`];
process.exitCode = run("vitest", ["run", ...args], {
  env: {
    POSTERN_REGRESS: positionals.join(" ") || "all",
    ...(values.subject && { POSTERN_REGRESS_SUBJECT: values.subject }),
    ...(values.release && { POSTERN_REGRESS_RELEASE: values.release }),
    ...(values.program && { POSTERN_REGRESS_PROGRAM: resolve(values.program) }),
    ...(values.write && { POSTERN_REGRESS_WRITE: "1" }),
  },
});
