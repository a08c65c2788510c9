/** Metrics 1 to 4: many bytes, eight connections, one byte, short connections. @module */
import { setTimeout as sleep } from "node:timers/promises";
import { aes128, aes256, type ClientName, chacha20, type Started } from "./clients.ts";
import { type Case, everybodySsh, type Metric, measureStreams, withClient, withCpu } from "./metric.ts";

export const bulk: Metric = {
  name: "bulk",
  title: "Many bytes, one connection (up: target to visitor; down: visitor to target)",
  rounds: { quick: 2, most: Number.POSITIVE_INFINITY },
  cases: ({ quick }) => {
    const ciphers = quick ? [aes128, chacha20] : [aes128, aes256, chacha20];
    const most = quick ? { most: 1 } : {};
    return ciphers.map((cipher) => ({
      ...streams(cipher, 1, quick ? { warmMs: 250, ms: 450 } : { warmMs: 700, ms: 2_000, cold: true }),
      clients: [...everybodySsh, "relay", "floor"],
      ...(cipher === aes128 ? {} : most),
    }));
  },
};

export const eight: Metric = {
  name: "eight",
  title: "Many bytes, eight connections at once",
  rounds: { quick: 1, most: Number.POSITIVE_INFINITY },
  cases: ({ quick }) => [
    {
      ...streams(aes128, 8, quick ? { warmMs: 600, ms: 450 } : { warmMs: 700, ms: 2_000, cold: true }),
      ...(quick ? { clients: withoutNoble } : {}),
    },
  ],
};

const withoutNoble: readonly ClientName[] = ["ssh", "postern", "ssh2", "ssh2-js", "dev-tunnels", "relay"];

export interface StreamTimes {
  readonly warmMs: number;
  readonly ms: number;
  /** Whether each direction has a process of its own, whose first bytes are measured, too. */
  readonly cold?: boolean;
}

/** Both directions over that many connections. */
export function streams(cipher: string, count: number, times: StreamTimes): Case {
  return {
    title: cipher,
    cipher,
    async run(stage, client, chosen, put) {
      const measure = async (started: Started, direction: "up" | "down"): Promise<void> => {
        const { cold, ...rate } = await measureStreams(stage, started, { direction, count, ...times });
        put(`${direction} MB/s`, rate.megabytesPerSecond);
        put(`${direction} client CPU s/GB`, rate.clientCpu, 2);
        if (client.ciphers !== undefined && client.name !== "floor") put(`${direction} sshd CPU s/GB`, rate.sshdCpu, 2);
        if (cold === undefined) return;
        put(`${direction} cold MB/s`, cold.megabytesPerSecond);
        put(`${direction} cold client CPU s/GB`, cold.clientCpu, 2);
      };
      const directions = ["up", "down"] as const;
      if (times.cold !== true) {
        await withClient(stage, client, { cipher: chosen }, async (started) => {
          for (const direction of directions) await measure(started, direction);
        });
        return;
      }
      for (const direction of directions) {
        await withClient(stage, client, { cipher: chosen }, (started) => measure(started, direction));
      }
    },
  };
}

export const roundTrip: Metric = {
  name: "roundtrip",
  title: "One byte there and back (cold: the first second of a process)",
  rounds: { quick: 1, most: Number.POSITIVE_INFINITY },
  cases: ({ quick }) => [roundTrips(quick ? { warmMs: 250, ms: 500 } : { coldMs: 1_000, warmMs: 600, ms: 1_500 })],
};

export interface LoadTimes {
  readonly coldMs?: number;
  readonly warmMs: number;
  readonly ms: number;
}

export function roundTrips({ coldMs, warmMs, ms }: LoadTimes): Case {
  return {
    title: aes128,
    cipher: aes128,
    async run(stage, client, cipher, put) {
      await withClient(stage, client, { cipher }, async ({ pid, port }) => {
        const cold = coldMs === undefined ? undefined : await stage.visitors.ping(port, coldMs);
        await stage.visitors.ping(port, warmMs);
        const { result, cpuUs } = await withCpu(pid, () => stage.visitors.ping(port, ms));
        put("p50 us", result.p50);
        put("p99 us", result.p99);
        put("client CPU us", cpuUs / result.count);
        if (cold === undefined) return;
        put("cold p50 us", cold.p50);
        put("cold p99 us", cold.p99);
      });
    },
  };
}

export const short: Metric = {
  name: "short",
  title: "Short connections: connect, 64 bytes there, 64 back, end (cold: the first second of a process)",
  rounds: { quick: 1, most: Number.POSITIVE_INFINITY },
  cases: ({ quick }) => [shorts(quick ? { warmMs: 250, ms: 500 } : { coldMs: 1_000, warmMs: 500, ms: 2_000 })],
};

export function shorts({ coldMs, warmMs, ms }: LoadTimes): Case {
  return {
    title: aes128,
    cipher: aes128,
    async run(stage, client, cipher, put) {
      await withClient(stage, client, { cipher }, async ({ pid, port }) => {
        const measure = async (name: string, parallel: number, forMs: number): Promise<void> => {
          const { result, cpuUs } = await withCpu(pid, () => stage.visitors.short(port, parallel, forMs));
          if (result.failed > result.count / 100) throw new Error(`${result.failed} connections failed`);
          put(`${name}, per s`, (result.count / result.ms) * 1000);
          put(`${name}, client CPU us each`, cpuUs / result.count);
          await sleep(200);
        };
        if (coldMs !== undefined) await measure("32 at a time, cold", 32, coldMs);
        for (const [name, parallel] of [
          ["in a row", 1],
          ["32 at a time", 32],
        ] as const) {
          await stage.visitors.short(port, parallel, warmMs);
          await measure(name, parallel, ms);
        }
      });
    },
  };
}

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
