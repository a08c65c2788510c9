/**
 * `npm run regress`: runs OpenSSH's own scripts with `postern` in place of `ssh` (client) or `sshd` (host), or with
 * OpenSSH's programs alone (openssh, and wrapper with the wrapper of the role host). Compares with
 * docs/audit/regress.md, or writes it.
 * @module
 */
import { resolve } from "node:path";
import { positiveInteger, readOptions } from "./lib/options.mjs";
import { run } from "./lib/run.mjs";

const usage = `npm run regress [-- OPTIONS] [SCRIPT …]
  --subject NAME     client, host, openssh or wrapper; default: each script in its roles
  --release NAME     the Debian whose scripts run: bookworm, trixie or forky
  --program FOLDER   the folder of another postern, such as node_modules/postern
  --jobs N           how many scripts run at the same time; default 4
  --write            write docs/audit/regress.md instead of comparing with it`;
const { values, positionals } = readOptions(usage, {
  options: {
    subject: { type: "string" },
    release: { type: "string" },
    write: { type: "boolean" },
    program: { type: "string" },
    jobs: { type: "string", default: "4" },
  },
  allowPositionals: true,
});
const jobs = positiveInteger("jobs", values.jobs);
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
