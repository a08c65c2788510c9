/** Whole tunnels in browsers and other runtimes: `npm run bench -- --only runtimes` @module */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { missing, newerRoot } from "../../../integration/harness/requirements.ts";
import { type Sshd, startSshd } from "../../../integration/harness/sshd.ts";
import { describeMachine } from "../machine.ts";
import { natural } from "../main.ts";
import type { Put } from "../metric.ts";
import { plotsOf, writePlots } from "../plots/plots.ts";
import { type Failure, type Sample, table } from "../report.ts";
import { progress } from "../rounds.ts";
import { replaceSection } from "../section.ts";
import { type Stage, startStage } from "../stage.ts";
import { untilInterrupted } from "../until.ts";
import { measureLogins, measurePackets, measureTunnel, tunnelCase } from "./measure.ts";
import type { Login } from "./orders.ts";
import { bundleProgram, type Program, type Row, runtimeRows, startProgram } from "./rows.ts";

const metric = "runtimes";
const packetCase = "packets of 32 KiB, ChaCha20-Poly1305";

/** Runs the scenario. `folder` is the folder of this package, `programs` that of its bundled helpers. */
export async function main(folder: string, programs: string): Promise<void> {
  const { values } = parseArgs({
    options: {
      only: { type: "string", multiple: true, default: [] },
      rounds: { type: "string", default: "1" },
      json: { type: "string" },
      readme: { type: "boolean", default: false },
      limit: { type: "string", default: "10" },
    },
  });
  const rounds = natural("rounds", values.rounds);
  const limitMinutes = natural("limit", values.limit);
  const began = Date.now();
  const only = values.only.flatMap((names) => names.split(",")).filter((name) => name !== metric);
  const rows = runtimeRows().filter(({ name }) => only.length === 0 || only.includes(name));
  const samples: Sample[] = [];
  const failures: Failure[] = [];
  const versions = new Map<string, string>();
  const machine = await describeMachine();
  const stage = await startStage(folder, programs, undefined);
  const newer = await startNewer(stage);
  await untilInterrupted(limitMinutes, async (over) => {
    try {
      for (let round = 0; round < rounds; round++) {
        for (const row of rows) {
          const reason = over();
          if (reason !== undefined) return progress(`${reason}: what follows is left out`);
          if (row.runtime.missing !== undefined) {
            progress(`not measured: ${row.title}: ${row.runtime.missing}`);
            continue;
          }
          progress(`round ${round + 1}/${rounds}: ${row.title}`);
          await measureRow({ stage, newer, folder, row, round, over, samples, failures, versions });
        }
      }
    } finally {
      await newer?.stop();
      await stage.stop();
    }
  });
  const titled = rows.map(({ name, title }) => ({ name, title: `${title} (${versions.get(name) ?? "?"})` }));
  const titles = Object.fromEntries(titled.map(({ name, title }) => [name, title]));
  const plots = values.readme ? plotsOf({ samples: [], micro: [], titles, runtimes: plotted(samples, titles) }) : [];
  const lines = [
    `${machine}; ${Math.round((Date.now() - began) / 1000)} s`,
    ...[...new Set(samples.map((one) => one.case))].flatMap((one) => {
      const own = samples.filter((sample) => sample.case === one);
      return ["", one, "", table(own, titled, "Runtime", [])];
    }),
    ...failures.map(
      ({ case: one, client, reason }) => `- failed: ${one}, ${client}: ${reason.split("\n").join(" / ")}`,
    ),
  ];
  console.log(lines.join("\n"));
  if (values.readme) writePlots(join(folder, "plots"), plots);
  lines.push(...plots.flatMap(({ title, file }) => ["", `![${title}](plots/${file})`]));
  if (values.readme) replaceSection(join(folder, "README.md"), "Figures by runtime", lines.join("\n"));
  if (values.json !== undefined) {
    writeFileSync(values.json, JSON.stringify({ machine, titles, samples, failures }, undefined, 1));
  }
}

/** Returns the speeds for the plot. */
function plotted(
  samples: readonly Sample[],
  titles: Readonly<Record<string, string>>,
): NonNullable<Parameters<typeof plotsOf>[0]["runtimes"]> {
  const speeds = samples.filter((one) => one.case === tunnelCase && one.column.endsWith("up MB/s"));
  return speeds.flatMap(({ client, column, round, value: up }) => {
    const other = column.replace("up", "down");
    const down = samples.find((one) => one.client === client && one.column === other && one.round === round)?.value;
    if (down === undefined) return [];
    const provider = column.startsWith("noble") ? "noble" : "wasm";
    return { name: titles[client] ?? client, provider, cipher: tunnelCase, up, down };
  });
}

/** Starts an sshd with ML-KEM. Browsers log in to it. */
async function startNewer({ keys }: Stage): Promise<Sshd | undefined> {
  const lacking = missing("newer");
  if (lacking === undefined) return startSshd({ authorizedKeys: [keys.ed25519.publicLine], root: newerRoot() });
  progress(`not measured: logins with ML-KEM: ${lacking}`);
  return undefined;
}

interface Place {
  readonly stage: Stage;
  readonly newer: Sshd | undefined;
  readonly folder: string;
  readonly row: Row;
  readonly round: number;
  readonly over: () => string | undefined;
  readonly samples: Sample[];
  readonly failures: Failure[];
  readonly versions: Map<string, string>;
}

/** Measures one runtime. A part that fails is reported, and ends the runtime. */
async function measureRow(place: Place): Promise<void> {
  const { stage, newer, folder, row, round, over, samples, failures, versions } = place;
  const files = stage.dir.file(`${row.name}-${round}`);
  const file = join(files, "program.mjs");
  let current = "start";
  let program: Program | undefined;
  const put: Put = (column, value, digits = 0) =>
    samples.push({ metric, case: current, client: row.name, column, round, value, digits });
  try {
    await bundleProgram(row, join(folder, "src", "runtimes", "entries"), file);
    program = await startProgram(row, file, files, () => stage.sshd.port);
    versions.set(row.name, program.version);
    current = tunnelCase;
    await measureTunnel(stage, program, loginTo(stage.sshd, stage), put);
    current = packetCase;
    if (over() === undefined) await measurePackets(program, put);
    if (row.runtime.page !== true) return;
    await program.stop();
    program = await startProgram(row, file, join(files, "tools"), () => stage.sshd.port, true);
    for (const [kex, sshd] of [
      ["curve25519-sha256", stage.sshd],
      ["mlkem768x25519-sha256", newer],
    ] as const) {
      if (sshd === undefined || over() !== undefined) continue;
      current = `login, CPU until the port is open, ${kex}, ssh-ed25519`;
      await measureLogins(program, file, loginTo(sshd, stage), kex, put);
    }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    progress(`  failed: ${reason}`);
    failures.push({ metric, case: current, client: row.name, round, reason });
  } finally {
    await program?.stop();
    await stage.reset();
  }
}

function loginTo(sshd: Pick<Sshd, "port" | "user" | "fingerprint">, { keys }: Stage): Login {
  return {
    port: sshd.port,
    user: sshd.user,
    privateKey: keys.ed25519.privateText,
    fingerprint: sshd.fingerprint("ed25519"),
  };
}
