/** The measurements in each runtime: a tunnel, packets, and the login in a browser. @module */
import { setTimeout as sleep } from "node:timers/promises";
import { startProgramServer } from "../../../integration/runtimes/control.ts";
import { chacha20 } from "../clients.ts";
import type { Put } from "../metric.ts";
import type { Count } from "../orders.ts";
import { cpuNs } from "../proc.ts";
import type { Stage } from "../stage.ts";
import { createConversation } from "./conversation.ts";
import type { Login, Provider } from "./orders.ts";
import type { Program } from "./rows.ts";

const providers: readonly Provider[] = ["wasm", "noble"];
const kex = "curve25519-sha256";
const warmMs = 500;
const measuredMs = 1_200;

/** Streams through a tunnel in both directions, with the cipher of each provider. */
export async function measureTunnel(stage: Stage, program: Program, login: Login, put: Put): Promise<void> {
  for (const provider of providers) {
    const prefix = provider === "wasm" ? "" : `${provider} `;
    const { port = 0 } = await program.ask({ task: "open", provider, kex, ...login });
    for (const direction of ["up", "down"] as const) {
      await stage.visitors.stream(port, direction, 1);
      await sleep(warmMs);
      // Down, the visitor counts what the kernel takes: all queues on the way are full.
      const snapshot = async (): Promise<Count & { readonly cpu: number }> => ({
        ...(await (direction === "up" ? stage.visitors.count() : stage.visitors.sent())),
        cpu: cpuNs(program.pids()),
      });
      const before = await snapshot();
      await sleep(measuredMs);
      const after = await snapshot();
      await stage.visitors.reset();
      await sleep(100);
      const bytes = after.bytes - before.bytes;
      if (bytes === 0) throw new Error(`no byte came ${direction}`);
      put(`${prefix}${direction} MB/s`, bytes / 1e3 / (after.at - before.at));
      put(`${prefix}${direction} CPU s/GB`, (after.cpu - before.cpu) / bytes, 2);
    }
    await program.ask({ task: "close" });
  }
}

const counts: Readonly<Record<Provider, number>> = { wasm: 1_200, noble: 200 };
const runs = 5;

/** Seals and opens packets of 32 KiB, alternating between the providers; the smallest times. */
export async function measurePackets(program: Program, put: Put): Promise<void> {
  for (const operation of ["seal", "open"] as const) {
    const best: Record<Provider, number> = { wasm: Number.POSITIVE_INFINITY, noble: Number.POSITIVE_INFINITY };
    // The clock of workerd stands still while a program computes, so the benchmark's clock counts, without the way.
    let way = Number.POSITIVE_INFINITY;
    for (let i = 0; i < runs; i++) {
      for (const provider of providers) {
        const packets = { task: "packets", provider, operation } as const;
        way = Math.min(way, (await program.ask({ ...packets, count: 0 })).ms);
        best[provider] = Math.min(best[provider], (await program.ask({ ...packets, count: counts[provider] })).ms);
      }
    }
    const us = (provider: Provider): number => ((best[provider] - way) * 1000) / counts[provider];
    for (const provider of providers) put(`${operation} ${provider} us`, us(provider), 1);
    put(`${operation}, wasm faster by`, us("noble") / us("wasm"), 1);
  }
}

const logins = 5;

/** Logs in from new pages, each in a process of its own. CPU from the order until the port is open. */
export async function measureLogins(
  program: Program,
  file: string,
  login: Login,
  method: string,
  put: Put,
): Promise<void> {
  const browser = program.page?.context().browser();
  if (browser === null || browser === undefined) throw new Error("expected a browser");
  for (let i = 0; i < logins; i++) {
    const conversation = createConversation();
    const server = await startProgramServer(conversation.answers, { page: file, sshPort: () => login.port });
    const context = await browser.newContext();
    try {
      const page = await context.newPage();
      await page.goto(server.url);
      await conversation.started;
      const devTools = await context.newCDPSession(page);
      await devTools.send("Performance.enable", { timeDomain: "threadTicks" });
      const cpu = async (): Promise<ReadonlyMap<string, number>> => {
        const { metrics } = await devTools.send("Performance.getMetrics");
        return new Map(metrics.map(({ name, value }) => [name, value * 1000]));
      };
      for (const name of ["first", "second"]) {
        const before = await cpu();
        await conversation.ask({ task: "open", provider: "wasm", kex: method, ...login });
        const after = await cpu();
        const used = (metric: string): number => (after.get(metric) ?? Number.NaN) - (before.get(metric) ?? Number.NaN);
        put(`${name} login, main thread ms`, used("ThreadTime"), 1);
        put(`${name} login, process ms`, used("ProcessTime"), 1);
        await conversation.ask({ task: "close" });
      }
    } finally {
      await context.close();
      server.stop();
    }
  }
}

/** The case of the samples of tunnels. */
export const tunnelCase: string = chacha20;
