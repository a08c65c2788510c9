/** What a metric is: cases, each run for one client after the other, round after round. @module */
import { setTimeout as sleep } from "node:timers/promises";
import { type Client, type ClientName, cipherFor, type Started, start, stop } from "./clients.ts";
import type { Count } from "./orders.ts";
import { cpuNs } from "./proc.ts";
import type { Stage } from "./stage.ts";

export interface Settings {
  readonly quick: boolean;
}

/** A figure of one client in one round; its column is made when it is first seen. */
export type Put = (column: string, value: number, digits?: number) => void;

export interface Case {
  readonly title: string;
  readonly clients?: readonly ClientName[];
  readonly cipher: string;
  readonly timeoutMs?: number;
  /** The most rounds of this case alone. */
  readonly most?: number;
  run(stage: Stage, client: Client, cipher: string, put: Put): Promise<void>;
}

export interface Metric {
  readonly name: string;
  readonly title: string;
  /** Rounds in a quick run, and the most that a whole one makes of it. */
  readonly rounds: { readonly quick: number; readonly most: number };
  cases(settings: Settings): readonly Case[];
}

export const everybodySsh: readonly ClientName[] = [
  "ssh",
  "postern",
  "postern-noble",
  "ssh2",
  "ssh2-js",
  "dev-tunnels",
];

/** Whether the client takes part in the case. */
export function takesPart({ clients, cipher }: Case, client: Client): boolean {
  return (clients === undefined || clients.includes(client.name)) && cipherFor(client, cipher) !== undefined;
}

/** Starts the client, lets `use` work with it, and stops it with everything it left behind. */
export async function withClient<T>(
  stage: Stage,
  client: Client,
  options: { readonly cipher: string; readonly port?: number },
  use: (started: Started) => Promise<T>,
): Promise<T> {
  const started = await start(stage, client, options.cipher, options.port);
  try {
    return await use(started);
  } finally {
    await stop(stage, started.process);
    await stage.reset();
  }
}

export interface Rate {
  readonly megabytesPerSecond: number;
  readonly clientCpu: number;
  readonly sshdCpu: number;
}

/** Opens streams, lets them run warm (and be verified), and counts for a while; CPU in seconds per GB. */
export async function measureStreams(
  stage: Stage,
  { pid, port }: Started,
  options: { readonly direction: "up" | "down"; readonly count: number; readonly warmMs: number; readonly ms: number },
): Promise<Rate> {
  const { direction, count, warmMs, ms } = options;
  const counter = direction === "up" ? stage.visitors : stage.targets;
  await stage.visitors.stream(port, direction, count);
  await sleep(warmMs);
  const sshd = stage.sshdPids();
  const snapshot = async (): Promise<{ count: Count; client: number; sshd: number }> => ({
    count: await counter.count(),
    client: cpuNs([pid]),
    sshd: cpuNs(sshd),
  });
  const before = await snapshot();
  await sleep(ms);
  const after = await snapshot();
  await Promise.all([stage.visitors.reset(), stage.targets.reset()]);
  // Let what is still on the way run dry, so that it does not disturb what comes next.
  await sleep(100);
  const bytes = after.count.bytes - before.count.bytes;
  if (bytes === 0) throw new Error(`no byte came ${direction}`);
  return {
    megabytesPerSecond: bytes / 1e3 / (after.count.at - before.count.at),
    clientCpu: (after.client - before.client) / bytes,
    sshdCpu: (after.sshd - before.sshd) / bytes,
  };
}

/** The CPU time a client takes while something happens, in microseconds. */
export async function withCpu<T>(
  pid: number,
  action: () => Promise<T>,
): Promise<{ readonly result: T; readonly cpuUs: number }> {
  const before = cpuNs([pid]);
  const result = await action();
  return { result, cpuUs: (cpuNs([pid]) - before) / 1000 };
}
