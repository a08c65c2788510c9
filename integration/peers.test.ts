/**
 * Every installed peer in each of its roles. These tests produce the table of docs/peers.md.
 * POSTERN_WRITE_PEERS=1 writes it; otherwise each row must equal the committed row of the same version.
 */
import { writeSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import { clients } from "./peers/clients.ts";
import type { Peer } from "./peers/peer.ts";
import { servers } from "./peers/servers.ts";
import { isSame, type Row, readRows, table, writeRows } from "./peers/table.ts";
import { type Outcome, Trials } from "./peers/trials.ts";

const rekeys = ["ourRekey", "theirRekey"] as const;
const write = process.env.POSTERN_WRITE_PEERS === "1";
const committed = readRows();
const rows: Row[] = [];
const trials = new Trials();

afterAll(async () => {
  await trials.stop();
  if (write) writeRows(rows);
  // Directly to stderr: the test runner would add a heading.
  for (const role of ["server", "client"] as const) {
    writeSync(2, `\nPeers as ${role}s:\n\n${table(rows.filter((row) => row.role === role))}`);
  }
});

function check({ row, notes }: Outcome): void {
  for (const note of notes) process.stderr.write(`${row.peer} (${row.role}): ${note}\n`);
  rows.push(row);
  if (write) return;
  const expected = committed.find((one) => isSame(one, row));
  // For a release that is not in the table, logins and bytes must equal those of the release in the table.
  if (expected === undefined) {
    process.stderr.write(`docs/peers.md has no row of ${row.peer} ${row.version} as ${row.role}\n`);
    const known = committed.find((one) => one.role === row.role && one.peer === row.peer);
    expect(known, `docs/peers.md has ${row.peer}`).toBeDefined();
    expect([row.login, row.bytes]).toEqual([known?.login, known?.bytes]);
    return;
  }
  // A peer that fails under a rekey does not fail in each run, so a success does not contradict the row.
  expect(row).toEqual({
    ...expected,
    ...Object.fromEntries(rekeys.filter((name) => expected[name] === "no").map((name) => [name, row[name]])),
  });
}

describe("our ReverseTunnel and", () => {
  for (const peer of servers) unlessMissing(peer)(title(peer), async () => check(await trials.server(peer)));
});

describe("our TunnelHost and", () => {
  for (const peer of clients) unlessMissing(peer)(title(peer), async () => check(await trials.client(peer)));
});

function title({ name, newer = false }: Peer): string {
  return newer ? `${name} of a newer Debian` : name;
}

function unlessMissing(peer: Peer): typeof it | typeof it.skip {
  const reason = peer.missing();
  if (reason === undefined) return it;
  process.stderr.write(`skipped: ${title(peer)}: ${reason}\n`);
  return it.skip;
}
