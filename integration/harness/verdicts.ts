/** The sshd of every version, and the table of what they accept: identity, server, verdict. @module */
import { afterAll } from "vitest";
import { missing, newerRoot, type Requirement } from "./requirements.ts";
import type { SshdOptions } from "./sshd.ts";

interface SshdVersion {
  readonly name: string;
  /** the reason why it cannot run here */
  readonly lacks: string | undefined;
  /** its options for `startSshd` */
  root(): Pick<SshdOptions, "root">;
}

/** Returns the sshd of this machine and the one of a newer Debian, for `describe.each`. */
export function sshdVersions(...needed: readonly Requirement[]): readonly SshdVersion[] {
  return [
    { name: "Debian's sshd", lacks: missing("sshd", ...needed), root: () => ({}) },
    { name: "a newer sshd", lacks: missing("sshd", "newer", ...needed), root: () => ({ root: newerRoot() }) },
  ];
}

/** Returns a function that adds a row. The rows are printed after the tests of the file. */
export function verdictTable(): (identity: string, server: string, verdict: string) => void {
  const rows: string[] = [];
  afterAll(() => {
    if (rows.length > 0) process.stdout.write(`${rows.join("\n")}\n`);
  });
  return (...cells) => void rows.push(cells.join(" | "));
}
