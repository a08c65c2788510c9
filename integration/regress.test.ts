/**
 * OpenSSH's own scripts, with `postern` in place of `ssh` and of `sshd`. `npm run regress` runs all of them, and writes
 * docs/audit/regress.md.
 */
import { afterAll, describe, expect, it } from "vitest";
import { isSame, type Row, readRows, writeRows } from "./regress/page.ts";
import { type Release, releaseOf, versionOf } from "./regress/releases.ts";
import { limitOf, runScript, type Subject } from "./regress/run-script.ts";
import { remarkOf, type Script, scripts } from "./regress/scripts.ts";

const { POSTERN_REGRESS, POSTERN_REGRESS_SUBJECT: subject, POSTERN_REGRESS_RELEASE: release } = process.env;
const write = process.env.POSTERN_REGRESS_WRITE === "1";
const committed = readRows();
const rows: Row[] = [];

afterAll(() => {
  if (write) writeRows(rows);
});

it("docs/audit/regress.md has only scripts that run", () => {
  const known = scripts.map(({ role, name }) => `${role} ${name}`);
  expect(known).toEqual(expect.arrayContaining(committed.map((row) => `${row.role} ${row.script}`)));
});

// Each has its own network, processes and folder, so several run at once: they mostly wait. The longest start first.
const timed = chosen().filter(({ isTimed }) => isTimed);
const untimed = chosen()
  .filter(({ isTimed }) => !isTimed)
  .toSorted((one, other) => limitOf(other) - limitOf(one));
describe.skipIf(untimed.length === 0)("OpenSSH's script", { concurrent: true }, () => untimed.forEach(add));
describe.skipIf(timed.length === 0)("OpenSSH's script that measures time", () => timed.forEach(add));

function add(script: Script): void {
  const own = releaseOf((release as Release["name"] | undefined) ?? script.release);
  const programs = { client: "postern", host: "postern host", openssh: "OpenSSH", wrapper: "the wrapper of ssh" };
  const program = programs[subjectOf(script)];
  const reason = own.missing();
  if (reason !== undefined) process.stderr.write(`skipped: ${script.name} of ${own.name}: ${reason}\n`);
  it.skipIf(reason !== undefined)(
    `${script.name} of ${own.name} ends with ${program} as docs/audit/regress.md says`,
    async () => check(script, own),
    (limitOf(script) + 60) * 1000,
  );
}

async function check(script: Script, own: Release): Promise<void> {
  const outcome = await runScript({ script, subject: subjectOf(script), release: own });
  const { passed, lastLine, failures, seconds, log } = outcome;
  process.stderr.write(
    `${script.name} (${subjectOf(script)}, ${own.name}): ${passed ? "passed" : "failed"} in ${seconds.toFixed(1)} s\n`,
  );
  if (subjectOf(script) !== script.role) return expect(lastLine, log).toMatch(/^ok /);
  const remark = remarkOf(script);
  if (!passed) {
    process.stderr.write(`${[lastLine, ...failures].join("\n")}\n`);
    const unexplained = failures.filter((text) => remark.failure?.test(text) !== true);
    expect(unexplained, log).toEqual([]);
    expect(failures, log).not.toEqual([]);
  }
  const verdict = passed ? "passes" : "fails";
  const row = {
    role: script.role,
    script: script.name,
    version: versionOf(own),
    verdict,
    remark: remark.text,
  } as const;
  const known = write ? row : committed.find((one) => isSame(one, row));
  expect(verdict, log).toBe(known?.verdict);
  rows.push(row);
}

function subjectOf({ role }: Script): Subject {
  return subject === "openssh" || subject === "wrapper" ? subject : role;
}

/** Without a choice: the quick ones. OpenSSH's own programs run a script once, whatever its role is here. */
function chosen(): Script[] {
  if (POSTERN_REGRESS === undefined) return scripts.filter(({ isQuick }) => isQuick);
  const names = POSTERN_REGRESS.split(" ");
  const named = scripts.filter(({ name }) => POSTERN_REGRESS === "all" || names.includes(name));
  if (subject === "openssh") {
    return named.filter(({ name }, index) => named.findIndex((one) => one.name === name) === index);
  }
  if (subject === "wrapper") return named.filter(({ commands }) => commands !== undefined);
  return named.filter(({ role }) => subject === undefined || subject === role);
}
