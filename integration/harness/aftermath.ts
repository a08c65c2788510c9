/** What a test must leave behind: nothing. No socket, timer or listener, no promise that waits, no error that nobody took. @module */
import { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect } from "vitest";

/** Longer than anything of ours lingers: a logoff waits 5 s for a host that says nothing. */
const settlingMs = 10_000;
const counted = ["TCPSocketWrap", "TCPServerWrap", "TCPConnectWrap", "GetAddrInfoReqWrap", "Timeout"];

interface Watched {
  readonly name: string;
  settled: boolean;
}

const duties: (() => unknown)[] = [];
let promises: Watched[] = [];

/** Has every test that follows in the file end its own things (see {@link atEnd}) and looks at what is left then. */
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

/** Has something done when the test is over, the latest first. */
export function atEnd(duty: () => unknown): void {
  duties.push(duty);
}

/** A promise that must have settled, either way, when the test is over. */
export function mustSettle<T>(name: string, promise: Promise<T>): Promise<T> {
  const watched: Watched = { name, settled: false };
  const settled = (): void => {
    watched.settled = true;
  };
  promise.then(settled, settled);
  promises.push(watched);
  return promise;
}

/** What keeps this process alive, by kind. */
export function resources(): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const kind of process.getActiveResourcesInfo()) {
    if (counted.includes(kind)) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  return counts;
}

/** What is there now and was not before, such as `2 TCPSocketWrap`. */
export function surplus(before: ReadonlyMap<string, number>): string[] {
  return [...resources()]
    .map(([kind, count]): [string, number] => [kind, count - (before.get(kind) ?? 0)])
    .filter(([, more]) => more > 0)
    .map(([kind, more]) => `${more} ${kind}`);
}

/** With the sockets there are, for whoever has to find out whose they are. */
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
