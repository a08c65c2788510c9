/** A TunnelHost and its workers in one process. The channel between them can be held up. */
import { password } from "@postern/auth";
import { modernAlgorithms } from "@postern/noble";
import { type BytePipe, connect, type SshConnection } from "@postern/ssh";
import { pipePair, readToEnd, seededRandom } from "@postern/testkit";
import { policy } from "@postern/web";
import type { SshError } from "@postern/wire";
import { afterEach, describe, expect, it, vi } from "vitest";
import {
  type HostEvents,
  type HostPlatform,
  type HostWorker,
  type PathReservations,
  TunnelHost,
  WorkerHost,
  type WorkerPlatform,
  workerSupport,
} from "../src/index.ts";
import { forward, hostKey, Network } from "./world.ts";

/** A worker. Messages to it wait while it hangs. */
interface TestWorker {
  readonly worker: HostWorker;
  readonly hang: () => void;
  readonly goOn: () => void;
}

interface Passed {
  /** The client's end of the connection. */
  readonly pipe: BytePipe;
  /** The calls of the primary about its copy of the socket. */
  readonly copy: readonly string[];
  readonly served: Promise<void>;
}

function workersWorld() {
  const network = new Network();
  const authorize = policy({ test: { password: "secret" } });
  const host = new TunnelHost({ hostKeys: [hostKey], authorize, takeover: "user" }, network);
  const paths = new Set<string>();
  const reservations: PathReservations = {
    reserve: (key) => {
      paths.add(key);
      return true;
    },
    release: (key) => void paths.delete(key),
  };
  const workers = workerSupport(host).createWorkers(reservations, modernAlgorithms);

  function start(prepare?: HostPlatform["prepare"]): TestWorker {
    let waiting: (() => void)[] | undefined;
    const { listen, dial, algorithms, random, sha256 } = network;
    const platform: WorkerPlatform = {
      ...{ listen, dial, algorithms, random, sha256, prepare },
      allAlgorithms: modernAlgorithms,
      openHandle: (handle) => handle as BytePipe,
    };
    const process = new WorkerHost(platform, (message) => worker.receive(structuredClone(message)));
    const worker = workers.add((message, handle) => {
      const deliver = (): void => process.receive(structuredClone(message), handle);
      if (waiting === undefined) deliver();
      else waiting.push(deliver);
    });
    return {
      worker,
      hang: () => {
        waiting = [];
      },
      goOn: () => {
        const late = waiting ?? [];
        waiting = undefined;
        for (const deliver of late) deliver();
      },
    };
  }

  function pass({ worker }: TestWorker): Passed {
    const [pipe, handle] = pipePair();
    const copy: string[] = [];
    const served = workerSupport(host).serveIn(
      worker,
      { handle, open: () => handle, received: () => void copy.push("received"), lost: () => void copy.push("lost") },
      {},
    );
    return { pipe, copy, served };
  }

  async function login(to: TestWorker): Promise<SshConnection> {
    return await connect(pass(to).pipe, {
      algorithms: modernAlgorithms,
      random: seededRandom("client"),
      user: "test",
      auth: [password("secret")],
      hostKey: () => true,
    });
  }

  const event = <Type extends keyof HostEvents>(type: Type): Promise<HostEvents[Type]> =>
    new Promise((resolve) => host.addEventListener(type, resolve, { once: true }));
  return { host, workers, paths, start, pass, login, event };
}

afterEach(() => {
  vi.useRealTimers();
});

describe("a worker that hangs", () => {
  it("loses a client whose socket it does not receive in time, and does not serve it later", async () => {
    const { host, start, pass, event } = workersWorld();
    const hung = start();
    hung.hang();
    vi.useFakeTimers();
    const closed = event("clientclosed");
    const { pipe, copy, served } = pass(hung);
    await vi.advanceTimersByTimeAsync(4_999);
    expect([host.clients.length, copy]).toEqual([1, []]);
    await vi.advanceTimersByTimeAsync(1);
    await served;
    expect((await closed).reason?.code).toBe("timeout");
    expect([host.clients.length, copy]).toEqual([0, ["lost"]]);
    expect(host.metrics()).toContain("postern_host_memory_bytes 0\n");
    vi.useRealTimers();
    hung.goOn();
    expect(await readToEnd(pipe)).toMatchObject({ text: "", closed: true, error: { cause: { code: "timeout" } } });
    expect(copy).toEqual(["lost"]);
  });

  it("does not hold up a client of another one that wants its port", async () => {
    const { host, start, login } = workersWorld();
    const [hung, other] = [start(), start()];
    const holder = await login(hung);
    holder.closed.catch(() => {});
    expect(await forward(holder, "localhost", 3000)).toBe(3000);
    const client = await login(other);
    hung.hang();
    vi.useFakeTimers();
    const port = forward(client, "localhost", 3000);
    await vi.advanceTimersByTimeAsync(3_000);
    expect(await port).toBeUndefined();
    vi.useRealTimers();
    // It learns later that its client was disconnected.
    hung.goOn();
    await expect.poll(() => host.clients.length).toBe(1);
    expect(await forward(client, "localhost", 3000)).toBe(3000);
    await client.close();
  });

  it("does not hold up the host that closes, if it has not received a client", async () => {
    const { host, start, pass } = workersWorld();
    const hung = start();
    hung.hang();
    const { copy, served } = pass(hung);
    await host.close();
    await served;
    expect(copy).toEqual(["lost"]);
  });
});

it("closes the copy of a socket once a worker has it", async () => {
  const { host, start, pass } = workersWorld();
  const { pipe, copy, served } = pass(start());
  await expect.poll(() => copy).toEqual(["received"]);
  pipe.close();
  await served;
  expect([host.clients.length, copy]).toEqual([0, ["received"]]);
});

it("ignores messages of a worker that has ended", () => {
  const { workers, paths, start } = workersWorld();
  const { worker } = start();
  workers.remove(worker, 4711, "SIGKILL");
  worker.receive({ type: "call", number: 1, name: "reservePath", args: ["/run/late"] });
  expect([...paths]).toEqual([]);
});

it("reports why a worker cannot prepare its algorithms, to a ping and for a client", async () => {
  const { start, pass, event } = workersWorld();
  const broken = start(() => Promise.reject(new Error("cannot load a module")));
  await expect(broken.worker.ping()).rejects.toThrow("cannot load a module");
  const closed = event("clientclosed");
  const { pipe } = pass(broken);
  pipe.start({ data: () => {}, end: () => {}, drain: () => {}, closed: () => {} });
  const { reason } = await closed;
  expect((reason as SshError).cause).toMatchObject({ message: "cannot load a module" });
});
