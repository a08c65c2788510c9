/** The table of docs/peers.md. @module */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Verdict } from "./trials.ts";

/** A row: one peer in one role. */
export interface Row {
  /** The role of the peer. */
  readonly role: "server" | "client";
  readonly peer: string;
  /** From the identification line. */
  readonly version: string;
  /** The first set of algorithms that suffices. */
  readonly algorithms: "default" | "compatible";
  readonly login: Verdict;
  readonly bytes: Verdict;
  readonly halfClose: Verdict;
  readonly cancel: Verdict;
  /** Port 0, for which the server chooses a port. Not tried with clients. */
  readonly anyPort: Verdict;
  readonly ourRekey: Verdict;
  readonly theirRekey: Verdict;
  readonly remarks: string;
}

const headings: readonly (readonly [name: keyof Row, heading: string])[] = [
  ["peer", "peer"],
  ["version", "version"],
  ["algorithms", "algorithms"],
  ["login", "login by key"],
  ["bytes", "bytes both ways"],
  ["halfClose", "half-close"],
  ["cancel", "cancel"],
  ["anyPort", "port 0"],
  ["ourRekey", "our rekey under load"],
  ["theirRekey", "its rekey under load"],
  ["remarks", "remarks"],
];
const file = join(import.meta.dirname, "..", "..", "docs", "peers.md");

/** Returns the rows of the committed table. */
export function readRows(): Row[] {
  const text = readFileSync(file, "utf8");
  return (["server", "client"] as const).flatMap((role) => {
    const [, part = ""] = between(role).exec(text) ?? [];
    const lines = part.split("\n").filter((line) => line.startsWith("|"));
    return lines.slice(2).map((line) => {
      const cells = line
        .split("|")
        .slice(1, -1)
        .map((cell) => cell.trim());
      return { role, ...Object.fromEntries(headings.map(([name], index) => [name, cells[index] ?? ""])) } as Row;
    });
  });
}

/**
 * Writes rows to the committed table. Each replaces the row of the same peer, role and version, or follows its peer.
 */
export function writeRows(rows: readonly Row[]): void {
  const merged = [...readRows()];
  for (const row of rows) {
    const at = merged.findIndex((one) => isSame(one, row));
    if (at >= 0) merged[at] = row;
    else
      merged.splice(
        merged.findLastIndex((one) => one.role === row.role && one.peer === row.peer) + 1 || merged.length,
        0,
        row,
      );
  }
  let text = readFileSync(file, "utf8");
  for (const role of ["server", "client"] as const) {
    const part = table(merged.filter((row) => row.role === role));
    text = text.replace(between(role), `<!-- ${role}s -->\n\n${part}\n<!-- end -->`);
  }
  writeFileSync(file, text);
}

/** Returns whether both rows describe the same release of the same program. */
export function isSame(one: Row, other: Row): boolean {
  return one.role === other.role && one.peer === other.peer && one.version === other.version;
}

/** Formats rows of one role as Markdown. */
export function table(rows: readonly Row[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |\n`;
  const body = rows.map((row) => line(headings.map(([name]) => row[name])));
  return line(headings.map(([, heading]) => heading)) + line(headings.map(() => "---")) + body.join("");
}

function between(role: Row["role"]): RegExp {
  return new RegExp(`<!-- ${role}s -->\\n([^]*?)<!-- end -->`);
}
