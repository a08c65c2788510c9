/** Metric 6: resident memory, and the latency of other connections. @module */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { launch } from "../../integration/harness/process.ts";
import { aes128, type ClientName } from "./clients.ts";
import { type Case, everybodySsh, type Metric, type Put, type Settings, withClient } from "./metric.ts";
import { clockMs } from "./orders.ts";
import { residentBytes } from "./proc.ts";

export const memory: Metric = {
  name: "memory",
  title: "Resident memory, MB; growth is the highest value above the one before",
  rounds: { quick: 1, most: 1 },
  cases: (settings) => [bare, idle(settings), stopped(settings), ...hanging(settings)],
};

/** The clients of a quick run. */
const fewer: readonly ClientName[] = ["ssh", "postern", "ssh2"];

const bare: Case = {
  title: "Node.js alone",
  cipher: aes128,
  clients: ["relay"],
  async run(stage, client, _cipher, put) {
    const file = join(stage.folder, "clients", "bare.mjs");
    const process = await launch(client.node?.program ?? "node", [file]);
    await sleep(500);
    put("bare Node", residentBytes(process.pid) / 1e6, 1);
    await process.stop();
  },
};

const idle = ({ quick }: Settings): Case => ({
  title: "idle connections",
  cipher: aes128,
  clients: quick ? fewer : [...everybodySsh, "relay"],
  timeoutMs: quick ? 30_000 : 240_000,
  async run(stage, client, cipher, put) {
    await withClient(stage, client, { cipher }, async ({ pid, port }) => {
      await sleep(400);
      const before = residentBytes(pid);
      put("idle", before / 1e6, 1);
      let open = 0;
      // The relay has two sockets per connection, and 20,000 descriptors are a usual limit.
      for (const count of quick || client.name === "relay" ? [1_000] : [1_000, 10_000]) {
        await stage.visitors.idle(port, count - open);
        open = count;
        await sleep(300);
        put(`${count} connections, growth`, (residentBytes(pid) - before) / 1e6, 1);
        put(`${count} connections, ping p50 us`, (await stage.visitors.ping(port, quick ? 300 : 1_000)).p50);
      }
    });
  },
});

const stopped = ({ quick }: Settings): Case => ({
  title: "a reader that stops",
  cipher: aes128,
  clients: quick ? fewer : everybodySsh,
  async run(stage, client, cipher, put) {
    for (const who of ["target", "visitor"] as const) {
      await withClient(stage, client, { cipher }, async ({ pid, port }) => {
        // The ping comes first, so that the growth does not include its code.
        await stage.visitors.ping(port, quick ? 200 : 500);
        const growth = watchGrowth(pid);
        await stage.visitors.stopped(port, who);
        await sleep(200);
        const { p50, max } = await stage.visitors.ping(port, quick ? 500 : 2_000);
        put(`${who} stops, growth`, growth.stop(), 1);
        put(`${who} stops, ping p50 us`, p50);
        put(`${who} stops, ping max us`, max);
      });
    }
  },
});

/**
 * A link that hangs before the first byte, and one that hangs while bytes flow: the second also counts compiled code
 * and V8's space for new objects, which the flow needs. Both compare with the client before the first byte.
 */
const hanging = ({ quick }: Settings): readonly Case[] =>
  [
    { flowMs: 0, title: "the SSH link hangs for 3 s while 64 targets write" },
    { flowMs: quick ? 1_000 : 3_000, title: "the same, and bytes have flowed before" },
  ].map(({ flowMs, title }) => ({
    title,
    cipher: aes128,
    clients: quick ? fewer : everybodySsh,
    async run(stage, client, cipher, put) {
      await withClient(stage, client, { cipher, port: stage.linkPort }, async ({ pid, port }) => {
        await stage.visitors.waiting(port, 64, 0);
        await sleep(200);
        const whole = watchGrowth(pid);
        if (flowMs === 0) await stage.link.hang();
        await stage.targets.go();
        await sleep(flowMs);
        await stage.link.hang();
        const hang = watchGrowth(pid);
        await sleep(3_000);
        put("growth", whole.stop(), 1);
        if (flowMs > 0) put("growth since the hang", hang.stop(), 1);
        await stage.link.heal();
        await flowing(() => stage.visitors.count(), put);
      });
    },
  }));

/** Expects bytes to flow again after the link has recovered. */
async function flowing(count: () => Promise<{ readonly bytes: number }>, put: Put): Promise<void> {
  const began = clockMs();
  const { bytes } = await count();
  while ((await count()).bytes < bytes + 1e6) {
    if (clockMs() - began > 10_000) throw new Error("expected bytes after the link has recovered, got none");
    await sleep(5);
  }
  put("ms until 1 MB after it", clockMs() - began);
}

/** Samples every 20 ms. */
function watchGrowth(pid: number): { readonly stop: () => number } {
  const before = residentBytes(pid);
  let highest = before;
  const look = (): void => {
    highest = Math.max(highest, residentBytes(pid));
  };
  const timer = setInterval(look, 20);
  return {
    stop() {
      clearInterval(timer);
      look();
      return (highest - before) / 1e6;
    },
  };
}
