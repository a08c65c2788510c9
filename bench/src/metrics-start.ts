/** Metrics 5 and 7: the time until the port is open, and long round trips. @module */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { run } from "../../integration/harness/process.ts";
import { aes128, type Client } from "./clients.ts";
import { everybodySsh, type Metric, measureStreams, type Put, withClient } from "./metric.ts";
import { ownNode } from "./nodes/find-nodes.ts";
import { cpuNs } from "./proc.ts";
import type { Stage } from "./stage.ts";

export const startUp: Metric = {
  name: "start",
  title: "Until the port is open",
  rounds: { quick: 2, most: Number.POSITIVE_INFINITY },
  cases: ({ quick }) => [
    {
      title: "loopback",
      cipher: aes128,
      clients: ["ssh", "autossh", "command", ...everybodySsh.filter((name) => name !== "ssh")],
      async run(stage, client, cipher, put) {
        for (let i = 0; i < (quick ? 1 : 3); i++) {
          await withClient(stage, client, { cipher, port: stage.linkPort }, async ({ pid, startedAt, openAt }) => {
            put("process start to open ms", openAt - startedAt);
            put("connect to open ms", openAt - (await stage.link.accepted()));
            // autossh starts ssh, and uses none itself.
            if (client.name !== "autossh") put("client CPU ms", cpuNs([pid]) / 1e6);
          });
        }
        await imports(stage, client, put);
      },
    },
    {
      title: "a process that prints its version; the relay is `node -e 0`",
      cipher: aes128,
      clients: ["ssh", "autossh", "command", "relay"],
      async run(stage, client, _cipher, put) {
        for (let i = 0; i < (quick ? 3 : 10); i++) put("process ms", timeOf(versionCommand(stage, client)), 1);
      },
    },
  ],
};

function versionCommand({ folder }: Stage, { name, node }: Client): readonly string[] {
  const { program } = node ?? ownNode();
  switch (name) {
    case "command":
      return [program, join(folder, "..", "packages", "cli", "dist", "postern.js"), "-V"];
    case "relay":
      return [program, "-e", "0"];
    default:
      return [name, "-V"];
  }
}

/** Returns the milliseconds that a process takes. */
function timeOf([program = "", ...args]: readonly string[]): number {
  const began = performance.now();
  const { status, error } = spawnSync(program, args, { stdio: "ignore" });
  if (status !== 0) throw error ?? new Error(`${program} ended with ${status}`);
  return performance.now() - began;
}

/** Imports the modules alone, in a new process. */
async function imports(stage: Stage, client: Client, put: Put): Promise<void> {
  if (client.modules === undefined || client.node === undefined) return;
  const file = join(stage.folder, "clients", "import.mjs");
  const { ms, cpuMs } = JSON.parse(await run(client.node.program, [file, ...client.modules]));
  put("import ms", ms);
  put("import CPU ms", cpuMs);
}

export const longWay: Metric = {
  name: "wan",
  title: "A long way without a limit of bandwidth (the link adds the round trip)",
  rounds: { quick: 1, most: 2 },
  cases: ({ quick }) => [
    {
      title: aes128,
      cipher: aes128,
      clients: quick ? ["ssh", "postern"] : everybodySsh,
      timeoutMs: 120_000,
      async run(stage, client, cipher, put) {
        const opened = new Map<number, number>();
        for (const ms of quick ? [20, 100] : [20, 100, 250]) {
          opened.set(ms, await openOver(stage, client, cipher, ms, quick && ms === 20 ? () => undefined : put));
        }
        const [[near, nearMs] = [0, 0], [far, farMs] = [0, 0]] = [[...opened][0], [...opened].at(-1)];
        // The difference cancels the work of both ends. One more round trip is TCP's own.
        put("round trips until open", 1 + (farMs - nearMs) / (far - near), 1);
      },
    },
  ],
};

/** Streams in both directions over that round trip. Returns the milliseconds from connect to open. */
async function openOver(
  stage: Stage,
  client: Client,
  cipher: string,
  ms: number,
  put: Put | (() => undefined),
): Promise<number> {
  await stage.link.roundTrip(ms);
  return withClient(stage, client, { cipher, port: stage.linkPort }, async (started) => {
    const took = started.openAt - (await stage.link.accepted());
    if (put.length === 0) return took;
    for (const direction of ["up", "down"] as const) {
      // Windows grow only after several round trips.
      const times = { warmMs: 700 + 12 * ms, ms: Math.max(1_500, 8 * ms) };
      const { megabytesPerSecond } = await measureStreams(stage, started, { direction, count: 1, ...times });
      put(`${ms} ms ${direction} MB/s`, megabytesPerSecond, 1);
    }
    return took;
  });
}
