/** The main rows on several versions of Node.js: `npm run bench -- --nodes 20,22,24,26` @module */
import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { findClients } from "../clients.ts";
import { describeMachine } from "../machine.ts";
import { measureClients, natural } from "../main.ts";
import type { Failure, Sample } from "../report.ts";
import { progress } from "../rounds.ts";
import { replaceSection } from "../section.ts";
import { startStage } from "../stage.ts";
import { untilInterrupted } from "../until.ts";
import { nodeMetrics } from "./cases.ts";
import { fetchNode } from "./find-nodes.ts";
import { nodeTables } from "./summary.ts";

const programs = join(dirname(fileURLToPath(import.meta.url)), "..");

/** Runs the benchmark. `folder` is the folder of this package. */
export async function main(folder: string): Promise<void> {
  const { values } = parseArgs({
    options: {
      nodes: { type: "string", default: "" },
      only: { type: "string", multiple: true, default: [] },
      rounds: { type: "string", default: "3" },
      json: { type: "string" },
      readme: { type: "boolean", default: false },
      limit: { type: "string", default: "15" },
    },
  });
  const began = Date.now();
  const nodes = values.nodes.split(",").map(fetchNode);
  const { clients, absent } = await findClients(folder, join(programs, ".."), nodes);
  for (const line of absent) progress(`not measured: ${line}`);
  const withoutBinding = nodes.filter(
    (node) => !clients.some((client) => client.node === node && client.name === "ssh2"),
  );
  const only = values.only.flatMap((names) => names.split(","));
  const metrics = nodeMetrics(nodes, withoutBinding).filter(({ name }) => only.length === 0 || only.includes(name));
  const samples: Sample[] = [];
  const failures: Failure[] = [];
  const machine = await describeMachine();
  const stage = await startStage(folder, programs, undefined);
  await untilInterrupted(natural("limit", values.limit), async (over) => {
    try {
      const rounds = natural("rounds", values.rounds);
      await measureClients(stage, clients, { quick: false, rounds, metrics }, { samples, failures, over });
    } finally {
      await stage.stop();
    }
  });
  const seconds = Math.round((Date.now() - began) / 1000);
  const names = ["postern", "ssh", "ssh2", "dev-tunnels", "floor", "relay"] as const;
  const columns = names.flatMap((name) => clients.find((client) => client.name === name) ?? []);
  const lines = [
    `${machine}; ${nodes.map(({ version }) => version).join(", ")}; ${seconds} s`,
    ...absent.map((line) => `Not measured: ${line}`),
    "",
    nodeTables(samples, nodes, columns),
    ...failures.map(({ metric, case: one, client, reason }) => `- failed: ${metric}, ${one}, ${client}: ${reason}`),
  ];
  console.log(lines.join("\n"));
  if (values.readme) replaceSection(join(folder, "README.md"), "Figures by version of Node.js", lines.join("\n"));
  if (values.json !== undefined) {
    writeFileSync(values.json, JSON.stringify({ machine, seconds, nodes, absent, samples, failures }, undefined, 1));
  }
}
