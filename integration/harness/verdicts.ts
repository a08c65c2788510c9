/** The sshd of every version, and the table of what they accept: identity, server, verdict. @module */
import { writeSync } from "node:fs";
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

/** Returns a function that adds a verdict. The table is printed after the tests of the file. */
export function verdictTable(): (identity: string, server: string, verdict: string) => void {
  const rows = new Map<string, Map<string, string[]>>();
  const servers = new Set<string>();
  afterAll(() => {
    // Directly to stderr: the test runner would add a heading.
    if (rows.size > 0) writeSync(2, `\nidentity × server × verdict:\n\n${formatted(rows, [...servers])}`);
  });
  return (identity, server, verdict) => {
    const row = rows.get(identity) ?? new Map<string, string[]>();
    rows.set(identity, row.set(server, [...(row.get(server) ?? []), verdict]));
    servers.add(server);
  };
}

function formatted(rows: ReadonlyMap<string, ReadonlyMap<string, readonly string[]>>, servers: string[]): string {
  const body = [...rows].map(([identity, row]) => [identity, ...servers.map((server) => cellOf(row.get(server)))]);
  const lines = [["identity", ...servers], ...body];
  const widths = ["identity", ...servers].map((_, i) => Math.max(...lines.map((line) => (line[i] ?? "").length)));
  const text = lines.map(
    (line) =>
      `${line
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join(" | ")
        .trimEnd()}\n`,
  );
  const all = [...rows.values()].flatMap((row) => [...row.values()].flat());
  const accepted = all.filter((verdict) => verdict === "accepted").length;
  return `${text.join("")}${accepted} logins accepted, ${all.length - accepted} not\n`;
}

/** Several keys may share a cell. */
function cellOf(verdicts: readonly string[] = []): string {
  const counts = [...new Set(verdicts)].map((verdict) => {
    const count = verdicts.filter((one) => one === verdict).length;
    return count > 1 ? `${verdict} ×${count}` : verdict;
  });
  return counts.join(", ") || "-";
}
