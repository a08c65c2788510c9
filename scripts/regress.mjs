/**
 * `npm run regress -- [--subject client|host|openssh|wrapper] [--release bookworm|trixie|forky] [--write]
 * [--program FOLDER] [SCRIPT …]`: runs OpenSSH's own scripts with `postern` in place of `ssh` (client) or `sshd`
 * (host), or with OpenSSH's programs alone (openssh, and wrapper with the wrapper of the role host). Compares with
 * docs/audit/regress.md, or writes it. Default: all scripts, each in its roles, with the program that `npm run build`
 * made. FOLDER is that of another one, such as `node_modules/postern`.
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
  },
  allowPositionals: true,
});
run("node", ["scripts/setup-tests.mjs"]);
process.exitCode = run("vitest", ["run", "--project", "integration", "integration/regress.test.ts"], {
  env: {
    POSTERN_REGRESS: positionals.join(" ") || "all",
    ...(values.subject && { POSTERN_REGRESS_SUBJECT: values.subject }),
    ...(values.release && { POSTERN_REGRESS_RELEASE: values.release }),
    ...(values.program && { POSTERN_REGRESS_PROGRAM: resolve(values.program) }),
    ...(values.write && { POSTERN_REGRESS_WRITE: "1" }),
  },
});
