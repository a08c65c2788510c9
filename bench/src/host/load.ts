/** Metrics of a host under load: idle clients, visitors, and a tunnel beside a greedy one. @module */
import { setTimeout as sleep } from "node:timers/promises";
import { aes128, type Client } from "../clients.ts";
import { withClient } from "../metric.ts";
import { clockMs } from "../orders.ts";
import { availableBytes, familyCpuNs, proportionalBytes, residentBytes } from "../proc.ts";
import { type HostMetric, withHost } from "./host-stage.ts";
import { openTunnels, withClients } from "./streams.ts";

/** Memory that stays free, so that the machine does not swap or kill. */
const reserveBytes = 3e9;

export const hostMemory: HostMetric = {
  name: "host-memory",
  title: "Host: memory (Pss of all its processes) for each idle client with one forwarding",
  rounds: { quick: 1, most: 1 },
  cases: ({ quick }) => [
    {
      title: "MB, above the memory with 20 clients",
      cipher: aes128,
      timeoutMs: 90_000,
      hosts: ({ name }) => name !== "sshd-newer",
      run: (given, host, cipher, put) =>
        withHost(given, host, { cipher }, async (seen) => {
          const resident = seen.host.pids().reduce((sum, pid) => sum + residentBytes(pid), 0);
          put("no client, resident MB", resident / 1e6, 1);
          let open = (await openTunnels(seen, 20, 10_000)).ports.length;
          await sleep(300);
          const before = proportionalBytes(seen.host.pids());
          let each = { bytes: 0, ms: 0 };
          for (const count of quick ? [100, 1_000] : [100, 1_000, 5_000]) {
            const limitMs = quick ? 8_000 : 25_000;
            expectRoom(each.bytes * (count - open), count);
            expectTime(each.ms * (count - open), count, limitMs);
            const [began, had] = [clockMs(), open];
            open += (await openTunnels(seen, count - open, limitMs)).ports.length;
            if (open < count)
              throw new Error(`${count} clients: only ${open} logged in within ${limitMs / 1_000} s more`);
            const ms = (clockMs() - began) / (open - had);
            await sleep(500);
            each = { ms, bytes: (proportionalBytes(seen.host.pids()) - before) / (open - 20) };
            put(`${count} clients, MB each`, each.bytes / 1e6, 3);
          }
        }),
    },
  ],
};

function expectRoom(bytes: number, count: number): void {
  const room = availableBytes() - reserveBytes;
  if (bytes > room) {
    throw new Error(`${count} clients would need ${gigabytes(bytes)} GB more, and ${gigabytes(room)} GB are free`);
  }
}

function expectTime(ms: number, count: number, limitMs: number): void {
  if (ms > limitMs) {
    throw new Error(
      `${count} clients would need ${Math.round(ms / 1_000)} s more to log in; the limit is ${limitMs / 1_000} s`,
    );
  }
}

function gigabytes(bytes: number): string {
  return (bytes / 1e9).toFixed(1);
}

/** Short connections to one forwarded port. */
export function hostVisitors(client: Client): HostMetric {
  return {
    name: "host-visitors",
    title: "Host: short connections to one forwarded port, 32 at a time",
    rounds: { quick: 1, most: 2 },
    cases: ({ quick }) => [
      {
        title: `client: ${client.title}`,
        cipher: aes128,
        run: (given, host, cipher, put) =>
          withHost(given, host, { cipher }, async ({ stage, host: { pids } }) => {
            await withClient(stage, client, { cipher }, async ({ port }) => {
              await stage.visitors.short(port, 32, quick ? 250 : 500);
              const before = familyCpuNs(pids());
              const { count, failed, ms } = await stage.visitors.short(port, 32, quick ? 500 : 1_000);
              if (failed > count / 100) throw new Error(`${failed} connections failed`);
              put("per s", (count / ms) * 1000);
              put("host CPU us each", (familyCpuNs(pids()) - before) / 1000 / count);
            });
          }),
      },
    ],
  };
}

/** One byte there and back over a tunnel, alone and beside another client's endless stream. */
export function hostBeside(client: Client): HostMetric {
  return {
    name: "host-beside",
    title: "Host: one byte there and back, alone and beside another client's stream",
    rounds: { quick: 1, most: 2 },
    cases: ({ quick }) => [
      {
        title: `${aes128}, 2 x ${client.title}`,
        cipher: aes128,
        run: (given, host, cipher, put) =>
          withHost(given, host, { cipher }, ({ stage }) =>
            withClients(stage, client, cipher, 2, async ([small, greedy]) => {
              if (small === undefined || greedy === undefined) return;
              const ping = async (name: string): Promise<void> => {
                const { p50, p99 } = await stage.visitors.ping(small.port, quick ? 400 : 700);
                put(`${name} p50 us`, p50);
                put(`${name} p99 us`, p99);
              };
              await stage.visitors.ping(small.port, quick ? 250 : 400);
              await ping("alone");
              for (const direction of ["up", "down"] as const) {
                await stage.visitors.stream(greedy.port, direction, 1);
                await sleep(200);
                await ping(`beside ${direction}`);
                await Promise.all([stage.visitors.reset(), stage.targets.reset()]);
                await sleep(100);
              }
            }),
          ),
      },
    ],
  };
}
