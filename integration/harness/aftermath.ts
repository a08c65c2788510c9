/** Checks that a test leaves no socket, timer or listener, no pending promise, and no unhandled error. @module */
import { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect } from "vitest";

/** Longer than any timer of ours: `close` waits 5 s for a silent server. */
const settlingMs = 10_000;
const counted = ["TCPSocketWrap", "TCPServerWrap", "TCPConnectWrap", "GetAddrInfoReqWrap", "Timeout"];

interface Watched {
  readonly name: string;
  settled: boolean;
}

const duties: (() => unknown)[] = [];
let promises: Watched[] = [];

/** Runs the cleanups (see {@link atEnd}) after each test of the file, and expects that nothing is left. */
export function leavesNothing(): void {
  let before: ReadonlyMap<string, number> = new Map();
  const surprises: unknown[] = [];
  const surprised = (error: unknown): void => void surprises.push(error);
  beforeEach(() => {
    before = resources();
    process.on("unhandledRejection", surprised);
    process.on("uncaughtExceptionMonitor", surprised);
  });
  afterEach(async () => {
    for (const duty of duties.splice(0).reverse()) await duty();
    const deadline = Date.now() + settlingMs;
    while (Date.now() < deadline && (surplus(before).length > 0 || waiting().length > 0)) await sleep(20);
    const left = { resources: described(surplus(before)), promises: waiting(), surprises: surprises.splice(0) };
    promises = [];
    process.off("unhandledRejection", surprised);
    process.off("uncaughtExceptionMonitor", surprised);
    expect(left).toEqual({ resources: [], promises: [], surprises: [] });
  });
}

/** Registers a cleanup for the end of the test. They run in reverse order. */
export function atEnd(duty: () => unknown): void {
  duties.push(duty);
}

/** Expects a promise to have settled at the end of the test. Returns the promise. */
export function mustSettle<T>(name: string, promise: Promise<T>): Promise<T> {
  const watched: Watched = { name, settled: false };
  const settled = (): void => {
    watched.settled = true;
  };
  promise.then(settled, settled);
  promises.push(watched);
  return promise;
}

/** Counts the resources that keep this process alive, by kind. */
export function resources(): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const kind of process.getActiveResourcesInfo()) {
    if (counted.includes(kind)) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  return counts;
}

/** Lists the resources added since `before`, such as `2 TCPSocketWrap`. */
export function surplus(before: ReadonlyMap<string, number>): string[] {
  return [...resources()]
    .map(([kind, count]): [string, number] => [kind, count - (before.get(kind) ?? 0)])
    .filter(([, more]) => more > 0)
    .map(([kind, more]) => `${more} ${kind}`);
}

/** Adds the details of the open sockets, for debugging. */
function described(left: string[]): string[] {
  if (left.length === 0) return left;
  const { _getActiveHandles: handles } = process as unknown as { _getActiveHandles?(): unknown[] };
  const sockets = (handles?.() ?? []).filter((handle) => handle instanceof Socket);
  return [
    ...left,
    ...sockets.map(({ localPort, remotePort, destroyed, readyState, bytesRead, bytesWritten }) =>
      JSON.stringify({ localPort, remotePort, destroyed, readyState, bytesRead, bytesWritten }),
    ),
  ];
}

function waiting(): string[] {
  return promises.filter(({ settled }) => !settled).map(({ name }) => name);
}
