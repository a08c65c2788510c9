/** The page docs/audit/regress.md. @module */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Role, type Script, scripts } from "./scripts.ts";

/** A row: one script in one role. */
export interface Row {
  readonly role: Role;
  readonly script: string;
  /** The version of OpenSSH whose script and programs ran. */
  readonly version: string;
  readonly verdict: "passes" | "fails" | "unknown";
  readonly remark: string;
}

const file = join(import.meta.dirname, "..", "..", "docs", "audit", "regress.md");
const titles = { client: "With `postern` in place of `ssh`", host: "With `postern host` in place of `sshd`" } as const;

const introduction = `# OpenSSH's regression scripts

Written by \`npm run regress -- --write\`. OpenSSH tests itself with shell scripts, which Debian ships in the package
\`openssh-tests\`. Here they run unchanged, with \`postern\` in place of one program and OpenSSH's own in place of the
others. None of them is part of this repository.

The scripts of Debian 12 run with the programs of Debian 12. Those that it does not have, or that need a newer server,
run with the programs of the Debian to come, in a root folder of their own. Each run has its own network, processes,
accounts and folder, and ends with them, at the latest after its limit of time. So several run at once. Those that
measure seconds run alone. All of that needs root and Linux.

| command | what it runs |
| --- | --- |
| \`npm test\` | the quick ones |
| \`npm run regress\` | all of them, each in its role, four at a time; \`--jobs\` sets another number |
| \`npm run regress -- --subject host forwarding\` | one script in one role |
| \`npm run regress -- --subject openssh\` | all of them with OpenSSH's programs alone, to check the set-up |
| \`npm run regress -- --release forky\` | all of them from a newer release: \`bookworm\`, \`trixie\` or \`forky\` |

Two things differ from OpenSSH's own run:

- The library \`sk-dummy.so\`, a security key in software, is left out. ssh loads it into its process, and a program in
  JavaScript cannot.
- A tunnel host runs no commands. In its role, a wrapper of \`ssh\` logs in to the host with all options of the script.
  Then it opens a channel of that connection to a real sshd, and the command runs there. So a script that copies a file
  copies it through the host. In \`forward-control\`, which forbids such channels, the connection to the host only has to
  succeed, and the command runs beside it. The wrapper proves logins, forwarding and limits. It proves nothing about
  commands, terminals and exit statuses, which a host does not have.
`;

/** Returns the rows of the committed page. */
export function readRows(): Row[] {
  if (!existsSync(file)) return [];
  const text = readFileSync(file, "utf8");
  return (["client", "host"] as const).flatMap((role) => {
    const [, part = ""] = text.split(`## ${titles[role]}\n`);
    const lines = (part.split("\n## ")[0] ?? "").split("\n").filter((line) => line.startsWith("| `"));
    return lines.map((line) => {
      const [script = "", version = "", verdict = "", remark = ""] = line
        .split("|")
        .slice(1, -1)
        .map((cell) => cell.trim());
      return { role, script: script.replaceAll("`", ""), version, verdict: verdict as Row["verdict"], remark };
    });
  });
}

/** Writes the page. Each row replaces the one of the same script and role. */
export function writeRows(rows: readonly Row[]): void {
  const all = [...readRows().filter((old) => !rows.some((row) => isSame(row, old))), ...rows];
  const sections = (["client", "host"] as const).map((role) => {
    const ordered = scripts.filter((script) => script.role === role).map((script) => rowOf(all, script));
    const lines = ordered.map(
      ({ script, version, verdict, remark }) => `| \`${script}\` | ${version} | ${verdict} | ${remark} |\n`,
    );
    return `\n## ${titles[role]}\n\n| script | OpenSSH | verdict | remark |\n| --- | --- | --- | --- |\n${lines.join("")}`;
  });
  writeFileSync(file, introduction + sections.join(""));
}

export function isSame(one: Row, other: Row): boolean {
  return one.role === other.role && one.script === other.script;
}

function rowOf(rows: readonly Row[], { role, name: script }: Script): Row {
  const unknown: Row = { role, script, version: "", verdict: "unknown", remark: "has not run to its end yet" };
  return rows.find((row) => isSame(row, unknown)) ?? unknown;
}
