/** Metrics of many bytes through one host: over one tunnel, eight and 64. @module */
import { setTimeout as sleep } from "node:timers/promises";
import { aes128, aes256, type Client, chacha20, type Started, start, stop } from "../clients.ts";
import type { Put } from "../metric.ts";
import type { Count } from "../orders.ts";
import { cpuNs } from "../proc.ts";
import type { Stage } from "../stage.ts";
import { type HostCase, type HostMetric, type Seen, withHost } from "./host-stage.ts";
import { type Host, workers } from "./hosts.ts";

const ciphers = [aes128, aes256, chacha20];

interface Times {
  readonly warmMs: number;
  readonly ms: number;
}

/** The metrics. The clients are those of the other metrics. */
export function streamMetrics(ssh: Client, postern: Client): readonly HostMetric[] {
  const one: HostMetric = {
    name: "host-bulk",
    title: "Host: many bytes, one tunnel (up: target to visitor; down: visitor to target)",
    rounds: { quick: 1, most: 3 },
    cases: ({ quick }) => {
      const times = quick ? { warmMs: 250, ms: 450 } : { warmMs: 500, ms: 800 };
      return [
        ...(quick ? [aes256, chacha20] : ciphers).map((cipher) => ({
          ...byClients(cipher, ssh, 1, times),
          ...(cipher === aes128 ? oneSshd : {}),
        })),
        ...(quick ? [] : [{ ...byClients(aes256, postern, 1, times), most: 1 }]),
      ];
    },
  };
  const eight: HostMetric = {
    name: "host-eight",
    title: "Host: many bytes, eight tunnels of eight clients",
    rounds: { quick: 1, most: 2 },
    cases: ({ quick }) =>
      (quick ? [aes256] : ciphers).map((cipher) => ({
        ...byClients(cipher, ssh, 8, quick ? { warmMs: 400, ms: 600 } : { warmMs: 500, ms: 1_200 }),
        ...(cipher === aes256 ? { ...withWorkers, most: 2 } : oneSshd),
      })),
  };
  const many: HostMetric = {
    name: "host-64",
    title: "Host: many bytes, 64 tunnels of 64 clients",
    rounds: { quick: 1, most: 1 },
    cases: ({ quick }) =>
      (quick ? [aes256] : ciphers).map((cipher) => ({
        ...byDrivers(cipher, quick),
        ...(cipher === aes256 ? withWorkers : oneSshd),
      })),
  };
  return [one, eight, many];
}

/** For the less important cases. */
const oneSshd = { hosts: ({ name }: Host) => name !== "sshd-newer" && name !== "tunnelhost-workers", most: 1 };
/** For the cases with many clients. */
const withWorkers = { hosts: ({ name }: Host) => name !== "sshd-newer", most: 1 };

function byClients(cipher: string, client: Client, count: number, times: Times): HostCase {
  return {
    title: `${cipher}, ${count === 1 ? "" : `${count} x `}${client.title}`,
    cipher,
    run: (given, host, chosen, put) =>
      withHost(given, host, { cipher: chosen }, async ({ stage }) => {
        await withClients(stage, client, chosen, count, async (started) => {
          const ports = started.map(({ port }) => port);
          await measureBoth(stage, ports, times, put, processesOf(host));
        });
      }),
  };
}

function byDrivers(cipher: string, quick: boolean): HostCase {
  return {
    title: `${cipher}, 64 clients in two processes of Postern`,
    cipher,
    run: (given, host, chosen, put) =>
      withHost(given, host, { cipher: chosen }, async (seen) => {
        const { ports } = await openTunnels(seen, 64, 20_000);
        await measureBoth(
          seen.stage,
          ports,
          quick ? { warmMs: 400, ms: 500 } : { warmMs: 500, ms: 800 },
          put,
          processesOf(host),
        );
      }),
  };
}

/** Opens tunnels in the drivers, as many in each. Four log in at a time, because dropbear refuses more. */
export async function openTunnels(
  { drivers, login, stage }: Seen,
  count: number,
  limitMs: number,
): Promise<{ readonly ports: readonly number[] }> {
  const { targetPort } = stage;
  const options = { count: Math.ceil(count / drivers.length), parallel: 2, targetPort, limitMs };
  return { ports: (await Promise.all(drivers.map(({ call }) => call.open(login, options)))).flat() };
}

/** Starts several clients, calls `use` with them, and stops them. */
export async function withClients(
  stage: Stage,
  client: Client,
  cipher: string,
  count: number,
  use: (started: readonly Started[]) => Promise<void>,
): Promise<void> {
  const all = await Promise.allSettled(Array.from({ length: count }, () => start(stage, client, cipher)));
  const started = all.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
  try {
    for (const one of all) if (one.status === "rejected") throw one.reason;
    await use(started);
  } finally {
    await Promise.all(started.map(({ process }) => stop(stage, process)));
  }
}

/** The processes that share the work of a host; 1 if there is one for each client. */
function processesOf({ name }: Host): number {
  return name === "tunnelhost-workers" ? workers : 1;
}

async function measureBoth(
  stage: Stage,
  ports: readonly number[],
  times: Times,
  put: Put,
  processes: number,
): Promise<void> {
  for (const direction of ["up", "down"] as const) {
    const { megabytesPerSecond, cpu, shares, work } = await measureTunnels(stage, ports, direction, times);
    put(`${direction} MB/s`, megabytesPerSecond);
    put(`${direction} host CPU s/GB`, cpu, 2);
    if (ports.length > 1) put(`${direction} share off by %`, deviation(shares));
    if (processes > 1) put(`${direction} work of a process off by %`, deviation(work.slice(0, processes)));
  }
}

/** Streams over all ports. Returns CPU in seconds per GB, and that of each process, the busiest first. */
async function measureTunnels(
  stage: Stage,
  ports: readonly number[],
  direction: "up" | "down",
  { warmMs, ms }: Times,
): Promise<{
  readonly megabytesPerSecond: number;
  readonly cpu: number;
  readonly shares: readonly number[];
  readonly work: readonly number[];
}> {
  const counter = direction === "up" ? stage.visitors : stage.targets;
  await Promise.all(ports.map((port) => stage.visitors.stream(port, direction, 1)));
  await sleep(warmMs);
  const pids = stage.sshdPids();
  const snapshot = async (): Promise<{ count: Count; shares: readonly number[]; work: readonly number[] }> => ({
    count: await counter.count(),
    shares: await counter.shares(),
    work: pids.map((pid) => cpuNs([pid])),
  });
  const before = await snapshot();
  await sleep(ms);
  const after = await snapshot();
  await Promise.all([stage.visitors.reset(), stage.targets.reset()]);
  // Drains the bytes in flight, so that they do not disturb the next case.
  await sleep(100);
  const bytes = after.count.bytes - before.count.bytes;
  if (bytes === 0) throw new Error(`no byte came ${direction}`);
  const work = after.work.map((ns, i) => ns - (before.work[i] ?? 0)).toSorted((a, b) => b - a);
  return {
    megabytesPerSecond: bytes / 1e3 / (after.count.at - before.count.at),
    cpu: sum(work) / bytes,
    shares: after.shares.map((share, i) => share - (before.shares[i] ?? 0)),
    work,
  };
}

/** Returns the largest difference from the mean, in percent. */
function deviation(values: readonly number[]): number {
  const mean = sum(values) / values.length;
  return 100 * Math.max(...values.map((value) => Math.abs(value - mean) / mean));
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
