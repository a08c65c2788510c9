/** Metrics: cases that run for one client after the other, in rounds. @module */
import { setTimeout as sleep } from "node:timers/promises";
import { type Client, type ClientName, cipherFor, type Started, start, stop } from "./clients.ts";
import type { Node } from "./nodes/find-nodes.ts";
import { type Count, clockMs } from "./orders.ts";
import { cpuNs } from "./proc.ts";
import type { Stage } from "./stage.ts";

export interface Settings {
  readonly quick: boolean;
}

/** Records a figure of one client in one round. The first figure creates its column. */
export type Put = (column: string, value: number, digits?: number) => void;

export interface Case {
  readonly title: string;
  readonly clients?: readonly ClientName[];
  readonly cipher: string;
  readonly timeoutMs?: number;
  /** The maximum number of rounds of this case. */
  readonly most?: number;
  /** Only clients on this Node.js take part, and those in C. Default: all. */
  readonly node?: Node;
  run(stage: Stage, client: Client, cipher: string, put: Put): Promise<void>;
}

export interface Metric {
  readonly name: string;
  readonly title: string;
  /** Rounds in a quick run, and the maximum in a full run. */
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

/** Returns whether the client takes part in the case. */
export function takesPart({ clients, cipher, node }: Case, client: Client): boolean {
  if (node !== undefined && client.node !== undefined && node.version !== client.node.version) return false;
  const isMeant = clients === undefined ? client.onlyIfNamed !== true : clients.includes(client.name);
  return isMeant && cipherFor(client, cipher) !== undefined;
}

/** Starts the client, calls `use` with it, stops it, and resets the stage. */
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

/** The first bytes of a fresh process are cold: its code is not compiled, and its heap is small. */
const coldBytes = 256e6;
const coldMs = 2_000;

interface Snapshot {
  readonly count: Count;
  readonly client: number;
  readonly sshd: number;
}

/**
 * Opens streams, verifies their first bytes, and measures for a while. CPU in seconds per GB. `cold` also measures the
 * first bytes.
 */
export async function measureStreams(
  stage: Stage,
  { pid, port }: Pick<Started, "pid" | "port">,
  options: {
    readonly direction: "up" | "down";
    readonly count: number;
    readonly warmMs: number;
    readonly ms: number;
    readonly cold?: boolean;
  },
): Promise<Rate & { readonly cold: Rate | undefined }> {
  const { direction, count, warmMs, ms } = options;
  const counter = direction === "up" ? stage.visitors : stage.targets;
  const snapshot = async (sshd: readonly number[]): Promise<Snapshot> => ({
    count: await counter.count(),
    client: cpuNs([pid]),
    sshd: cpuNs(sshd),
  });
  const start = await snapshot(stage.sshdPids());
  await stage.visitors.stream(port, direction, count);
  let cold: Rate | undefined;
  if (options.cold === true) {
    for (let bytes = 0; bytes < coldBytes && clockMs() < start.count.at + coldMs; { bytes } = await counter.count()) {
      await sleep(5);
    }
    cold = rateOf(start, await snapshot(stage.sshdPids()), direction);
  }
  await sleep(warmMs);
  const sshd = stage.sshdPids();
  const before = await snapshot(sshd);
  await sleep(ms);
  const after = await snapshot(sshd);
  await Promise.all([stage.visitors.reset(), stage.targets.reset()]);
  // Drains the bytes in flight, so that they do not disturb the next case.
  await sleep(100);
  return { ...rateOf(before, after, direction), cold };
}

function rateOf(before: Snapshot, after: Snapshot, direction: string): Rate {
  const bytes = after.count.bytes - before.count.bytes;
  if (bytes === 0) throw new Error(`no byte came ${direction}`);
  return {
    megabytesPerSecond: bytes / 1e3 / (after.count.at - before.count.at),
    clientCpu: (after.client - before.client) / bytes,
    sshdCpu: (after.sshd - before.sshd) / bytes,
  };
}

/** Returns the CPU time of a client during an action, in microseconds. */
export async function withCpu<T>(
  pid: number,
  action: () => Promise<T>,
): Promise<{ readonly result: T; readonly cpuUs: number }> {
  const before = cpuNs([pid]);
  const result = await action();
  return { result, cpuUs: (cpuNs([pid]) - before) / 1000 };
}
