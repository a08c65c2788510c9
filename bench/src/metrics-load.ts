/** Metrics 1 to 4: many bytes, eight connections, one byte, short connections. @module */
import { setTimeout as sleep } from "node:timers/promises";
import { aes128, aes256, type ClientName, chacha20 } from "./clients.ts";
import { type Case, everybodySsh, type Metric, measureStreams, type Settings, withClient, withCpu } from "./metric.ts";

export const bulk: Metric = {
  name: "bulk",
  title: "Many bytes, one connection (up: target to visitor; down: visitor to target)",
  rounds: { quick: 2, most: Number.POSITIVE_INFINITY },
  cases: (settings) => {
    const ciphers = settings.quick ? [aes128, chacha20] : [aes128, aes256, chacha20];
    const most = settings.quick ? { most: 1 } : {};
    return ciphers.map((cipher) => ({ ...streams(settings, cipher, 1), ...(cipher === aes128 ? {} : most) }));
  },
};

export const eight: Metric = {
  name: "eight",
  title: "Many bytes, eight connections at once",
  rounds: { quick: 1, most: Number.POSITIVE_INFINITY },
  cases: (settings) => [{ ...streams(settings, aes128, 8), ...(settings.quick ? { clients: withoutNoble } : {}) }],
};

const withoutNoble: readonly ClientName[] = ["ssh", "postern", "ssh2", "ssh2-js", "dev-tunnels", "relay"];

function streams({ quick }: Settings, cipher: string, count: number): Case {
  return {
    title: cipher,
    cipher,
    async run(stage, client, chosen, put) {
      await withClient(stage, client, { cipher: chosen }, async (started) => {
        for (const direction of ["up", "down"] as const) {
          const times = quick ? { warmMs: count > 1 ? 600 : 250, ms: 450 } : { warmMs: 700, ms: 2_000 };
          const rate = await measureStreams(stage, started, { direction, count, ...times });
          put(`${direction} MB/s`, rate.megabytesPerSecond);
          put(`${direction} client CPU s/GB`, rate.clientCpu, 2);
          if (client.ciphers !== undefined) put(`${direction} sshd CPU s/GB`, rate.sshdCpu, 2);
        }
      });
    },
  };
}

export const roundTrip: Metric = {
  name: "roundtrip",
  title: "One byte there and back",
  rounds: { quick: 1, most: Number.POSITIVE_INFINITY },
  cases: ({ quick }) => [
    {
      title: aes128,
      cipher: aes128,
      async run(stage, client, cipher, put) {
        await withClient(stage, client, { cipher }, async ({ pid, port }) => {
          await stage.visitors.ping(port, quick ? 250 : 600);
          const { result, cpuUs } = await withCpu(pid, () => stage.visitors.ping(port, quick ? 500 : 1_500));
          put("p50 us", result.p50);
          put("p99 us", result.p99);
          put("client CPU us", cpuUs / result.count);
        });
      },
    },
  ],
};

export const short: Metric = {
  name: "short",
  title: "Short connections: connect, 64 bytes there, 64 back, end",
  rounds: { quick: 1, most: Number.POSITIVE_INFINITY },
  cases: ({ quick }) => [
    {
      title: aes128,
      cipher: aes128,
      async run(stage, client, cipher, put) {
        await withClient(stage, client, { cipher }, async ({ pid, port }) => {
          for (const [name, parallel] of [
            ["in a row", 1],
            ["32 at a time", 32],
          ] as const) {
            await stage.visitors.short(port, parallel, quick ? 250 : 500);
            const { result, cpuUs } = await withCpu(pid, () =>
              stage.visitors.short(port, parallel, quick ? 500 : 2_000),
            );
            if (result.failed > result.count / 100) throw new Error(`${result.failed} connections failed`);
            put(`${name}, per s`, (result.count / result.ms) * 1000);
            put(`${name}, client CPU us each`, cpuUs / result.count);
            await sleep(200);
          }
        });
      },
    },
  ],
};

export const growth: Metric = {
  name: "growth",
  title: "The same bytes over more connections: client CPU ms per MB (flat is good)",
  rounds: { quick: 1, most: 1 },
  cases: ({ quick }) => [
    {
      title: `${quick ? 32 : 64} MB up, then down`,
      cipher: aes128,
      clients: quick ? ["ssh", "postern", "ssh2"] : everybodySsh.filter((name) => name !== "postern-noble"),
      timeoutMs: quick ? 25_000 : 240_000,
      async run(stage, client, cipher, put) {
        const total = (quick ? 32 : 64) * 1e6;
        // sshd needs minutes with thousands of connections. The bytes until the timeout suffice for CPU per MB.
        const limitMs = quick ? 5_000 : 15_000;
        for (const count of quick ? [1, 1_000] : [1, 10, 100, 1_000, 5_000]) {
          const size = Math.ceil(total / count);
          const over = async (direction: "up" | "down", pid: number, flow: () => Promise<number>): Promise<void> => {
            const { result, cpuUs } = await withCpu(pid, flow);
            if (result === 0) throw new Error(`no byte came ${direction} over ${count} connections`);
            put(`${count} ${direction}`, cpuUs / 1000 / (result / 1e6), 2);
          };
          await withClient(stage, client, { cipher }, async ({ pid, port }) => {
            await stage.visitors.waiting(port, count, size);
            await over("up", pid, async () => {
              await stage.targets.go();
              return stage.visitors.received(size * count, limitMs);
            });
          });
          await withClient(stage, client, { cipher }, async ({ pid, port }) => {
            await stage.visitors.senders(port, count);
            await stage.targets.opened(count, 60_000);
            await over("down", pid, async () => {
              await stage.visitors.send(size);
              return stage.targets.received(size * count, limitMs);
            });
          });
        }
      },
    },
  ],
};
