/** A TunnelHost with worker processes. They run the package as it was built: needs `dist`, which `npm test` builds. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import * as net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { compatibleAlgorithms } from "@postern/noble";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import {
  type AuthEntry,
  fingerprint,
  generatePrivateKey,
  type HostEvents,
  type HostWorkersOptions,
  keyboardInteractive,
  type NodeTunnelHostOptions,
  type NodeTunnelOptions,
  password,
  policy,
  privateKey,
  ReverseTunnel,
  readPrivateKey,
  type Signer,
  type SshError,
  sha256Fingerprint,
  TunnelHost,
  type TunnelHostListenOptions,
  workerExecArgv,
} from "../src/index.ts";

if (process.platform !== "linux") process.stderr.write("skipped: a worker without descriptors: prlimit is of Linux\n");

const worker = fileURLToPath(new URL("host-workers/worker.mjs", import.meta.url));
const workersOf = (count: number): HostWorkersOptions => ({ count, command: [worker] });
const authorize = policy({ test: { password: "secret", permitListen: ["*:*", "/**"] }, other: { password: "secret" } });

let hostKey: Signer;
let host: TunnelHost;
let echo: net.Server;
let tunnels: ReverseTunnel[] = [];

beforeAll(async () => {
  hostKey = await readPrivateKey(generatePrivateKey());
  host = await start();
  echo = net.createServer((socket) => socket.on("error", () => {}).pipe(socket)).listen(0, "127.0.0.1");
  await once(echo, "listening");
}, 30_000);
afterEach(async () => {
  await Promise.all(tunnels.map((tunnel) => tunnel.close()));
  tunnels = [];
  host.reload({ authorize, methods: undefined, limits: undefined, takeover: false, banner: undefined, url: undefined });
  // Workers report the end of their clients.
  await expect.poll(() => host.clients.length).toBe(0);
});
afterAll(async () => {
  await host.close({ drainMs: 0 });
  echo.close();
});

async function start(options: Partial<TunnelHostListenOptions> = {}): Promise<TunnelHost> {
  const given = { address: "127.0.0.1", port: 0, hostKeys: [hostKey], authorize, takeover: false } as const;
  return await TunnelHost.listen({ ...given, workers: workersOf(2), ...options });
}

async function tunnelTo(
  to: TunnelHost,
  user = "test",
  auth: AuthEntry = password("secret"),
  verify: NodeTunnelOptions["hostKey"] = fingerprint(sha256Fingerprint(hostKey.publicKey)),
): Promise<ReverseTunnel> {
  const tunnel = new ReverseTunnel({
    ...{ host: "127.0.0.1", port: to.port, user, auth: [auth], reconnect: { mode: "never" } },
    hostKey: verify,
  });
  tunnel.closed.catch(() => {});
  tunnels.push(tunnel);
  await tunnel.connect();
  return tunnel;
}

const target = (): net.AddressInfo => echo.address() as net.AddressInfo;

async function forwarded(tunnel: ReverseTunnel, port = 0): Promise<number> {
  const forwarding = await tunnel.forward({ port, target: { host: "127.0.0.1", port: target().port } });
  return forwarding.port ?? 0;
}

function nextEvent<Type extends keyof HostEvents>(of: TunnelHost, type: Type): Promise<HostEvents[Type]> {
  return new Promise((resolve) => of.addEventListener(type, resolve, { once: true }));
}

/** Sends a text to a port. Resolves with the answer, or `undefined` if the connection was reset. */
async function ask(port: number, text: string, then?: net.Socket[]): Promise<string | undefined> {
  const socket = net.connect({ host: "127.0.0.1", port });
  try {
    socket.write(text);
    const [answer] = (await once(socket, "data")) as [Buffer];
    return answer.toString();
  } catch {
    return undefined;
  } finally {
    if (then === undefined) socket.destroy();
    else then.push(socket);
  }
}

/** Resolves with the first bytes that a port sends to a silent peer. */
async function greeting(port: number): Promise<string> {
  const socket = net.connect({ host: "127.0.0.1", port });
  const [data] = (await once(socket, "data")) as [Buffer];
  socket.destroy();
  return data.toString();
}

/** Sends `size` bytes to an echo. Resolves with the digests of the bytes sent and received. */
async function exchange(port: number, size: number, onData: () => void = () => {}): Promise<readonly string[]> {
  const socket = net.connect({ host: "127.0.0.1", port });
  const [sent, received] = [createHash("sha256"), createHash("sha256")];
  let left = size;
  const write = (): void => {
    while (left > 0) {
      const chunk = Buffer.alloc(Math.min(left, 65_536), left % 251);
      left -= chunk.length;
      sent.update(chunk);
      if (!socket.write(chunk)) {
        socket.once("drain", write);
        return;
      }
    }
  };
  write();
  let got = 0;
  for await (const chunk of socket) {
    received.update(chunk as Buffer);
    got += (chunk as Buffer).length;
    onData();
    if (got >= size) break;
  }
  return [sent.digest("hex"), received.digest("hex")];
}

describe("workers", () => {
  it("serve the clients of one port, and let one client alone have a forwarded port", async () => {
    const [first, second] = [await tunnelTo(host), await tunnelTo(host)];
    const port = await forwarded(first);
    expect(await ask(port, "hello")).toBe("hello");
    expect(await ask(await forwarded(second), "hello")).toBe("hello");
    const refusal = nextEvent(host, "refusal");
    await expect(second.listen({ port })).rejects.toMatchObject({ code: "refused" });
    expect(await refusal).toMatchObject({ what: "forwarding", client: { user: "test" } });
    expect(host.workerPids).toHaveLength(2);
  });

  it.each([
    ["a function", () => () => {}],
    ["a URL", () => new URL("https://example.com/")],
    ["an object with a function", async () => ({ href: () => {} })],
  ])("forward a port without a URL if `url` returns %s, which no process can pass", async (_what, url) => {
    host.reload({ url: url as unknown as NonNullable<NodeTunnelHostOptions["url"]> });
    const opened = nextEvent(host, "forwardingopened");
    const port = await forwarded(await tunnelTo(host));
    expect((await opened).forwarding).toMatchObject({ port, url: undefined });
    expect(await ask(port, "hello")).toBe("hello");
  });

  it("show their clients as one process does: events, forwardings, URL, bytes, metrics", async () => {
    host.reload({ url: ({ port }, { user }) => `https://${user}.example.com:${port}` });
    const events = Promise.all([
      nextEvent(host, "clientopened"),
      nextEvent(host, "login"),
      nextEvent(host, "forwardingopened"),
      nextEvent(host, "visitor"),
    ]);
    const tunnel = await tunnelTo(host);
    const port = await forwarded(tunnel);
    await exchange(port, 100_000);
    const [{ client }, login, { forwarding }, visitor] = await events;
    expect([login.client, visitor.client, visitor.forwarding]).toEqual([client, client, forwarding]);
    expect(host.clients).toEqual([client]);
    expect(client).toMatchObject({ user: "test", origin: { host: "127.0.0.1" }, login: { method: "password" } });
    expect(client.version).toMatch(/^SSH-2\.0-/);
    expect(client.peer?.algorithms.cipherC2s).toBe("aes256-gcm@openssh.com");
    expect(forwarding).toMatchObject({ port, address: "localhost", url: `https://test.example.com:${port}` });
    client.rekey();
    await expect.poll(() => client.rekeys, { timeout: 5_000 }).toBe(1);
    expect(host.metrics()).toMatch(/^postern_host_forwardings 1$/m);
    const closed = nextEvent(host, "clientclosed");
    await client.close();
    expect((await closed).client).toBe(client);
    expect(client.bytesIn).toBeGreaterThan(100_000);
    expect(forwarding.bytesOut).toBe(100_000);
  });

  it("report the description of a DISCONNECT, as a host without workers does (RFC 4253 11.1)", async () => {
    const alone = await start({ workers: undefined });
    try {
      const reasons: (SshError | undefined)[] = [];
      for (const to of [alone, host]) {
        const closed = nextEvent(to, "clientclosed");
        await expect(tunnelTo(to, "test", password("secret"), () => false)).rejects.toMatchObject({ code: "hostkey" });
        reasons.push((await closed).reason);
      }
      const [expected, reason] = reasons.map((one) => [one?.code, one?.message, one?.reason, one?.description]);
      expect(expected).toEqual(["disconnected", expect.any(String), 9, expect.stringMatching(/./)]);
      expect(reason).toEqual(expected);
    } finally {
      await alone.close({ drainMs: 0 });
    }
  });

  it("run the functions of the options in the process that made them", async () => {
    const asked: string[] = [];
    const ports: number[] = [];
    host.reload({
      methods: ["keyboard-interactive"],
      authorize: async (attempt) => {
        if (attempt.method !== "keyboard-interactive") return false;
        const answers = await attempt.ask({ name: "", instruction: "", prompts: [{ prompt: "Code: ", echo: false }] });
        asked.push(...answers, attempt.client?.origin?.host ?? "");
        return {
          permitListen: (_address, port) => {
            ports.push(port);
            return port !== 8181;
          },
        };
      },
    });
    const tunnel = await tunnelTo(
      host,
      "test",
      keyboardInteractive(() => ["4711"]),
    );
    expect(asked).toEqual(["4711", "127.0.0.1"]);
    await expect(tunnel.listen({ port: 8181 })).rejects.toMatchObject({ code: "denied" });
    expect(await ask(await forwarded(tunnel), "hello")).toBe("hello");
    expect(ports).toEqual([8181, 0]);
  });

  it("disconnect the clients of a revoked key, wherever they are", async () => {
    const text = generatePrivateKey();
    const { publicKey } = await readPrivateKey(text);
    host.reload({ authorize: (attempt) => attempt.method === "publickey" });
    const mine = [await tunnelTo(host, "a", privateKey(text)), await tunnelTo(host, "b", privateKey(text))];
    const kept = await tunnelTo(host, "a", privateKey(generatePrivateKey()));
    expect(host.revoke({ key: publicKey })).toBe(2);
    await expect.poll(() => mine.map(({ state }) => state)).toEqual(["closed", "closed"]);
    expect(kept.state).toBe("open");
    await expect(tunnelTo(host, "a", privateKey(text))).rejects.toMatchObject({ code: "auth" });
    host.reinstate({ key: publicKey });
  });

  it("share the limits on connections and ports of a user", async () => {
    host.reload({ limits: { connectionsPerUser: 2, forwardingsPerUser: 1 } });
    const [first, second] = [await tunnelTo(host), await tunnelTo(host)];
    const refusals: (string | undefined)[] = [];
    host.addEventListener("refusal", ({ limit }) => refusals.push(limit));
    const third = await tunnelTo(host).catch(() => undefined);
    await expect.poll(() => third?.state ?? "closed").toBe("closed");
    await tunnelTo(host, "other");
    const { port = 0 } = await first.listen({ port: 0 });
    await expect(second.listen({ port: 0 })).rejects.toMatchObject({ code: "refused" });
    await first.close();
    await expect
      .poll(() =>
        second.listen({ port }).then(
          () => true,
          () => false,
        ),
      )
      .toBe(true);
    expect(refusals.slice(0, 2)).toEqual(["connectionsPerUser", "forwardingsPerUser"]);
  });

  it("share the limit on channels of a user soon after a channel was opened", async () => {
    host.reload({ limits: { channelsPerUser: 1 } });
    const [first, second] = [await forwarded(await tunnelTo(host)), await forwarded(await tunnelTo(host))];
    const held: net.Socket[] = [];
    expect(await ask(first, "hello", held)).toBe("hello");
    await expect.poll(() => ask(second, "hello")).toBeUndefined();
    for (const socket of held) socket.destroy();
    await expect.poll(() => ask(second, "hello")).toBe("hello");
  });

  it("count connections that have not logged in over all of them, from the moment they are accepted", async () => {
    host.reload({ limits: { startups: { start: 2, rate: 100, full: 2 } } });
    const idle = [1, 2].map(() => net.connect({ host: "127.0.0.1", port: host.port }));
    await Promise.all(idle.map((socket) => once(socket, "data")));
    expect(await greeting(host.port)).toBe("Not allowed at this time\r\n");
    for (const socket of idle) socket.destroy();
    await expect.poll(() => greeting(host.port)).toMatch(/^SSH-2\.0-/);
  });

  it.skipIf(process.platform === "win32")("let one client alone have the path of a UNIX socket", async () => {
    const folder = mkdtempSync(join(tmpdir(), "postern-workers-"));
    try {
      const path = join(folder, "socket");
      const [first, second] = [await tunnelTo(host), await tunnelTo(host)];
      await first.listen({ path });
      await expect(second.listen({ path })).rejects.toMatchObject({ code: "refused" });
      await first.close();
      await expect
        .poll(() =>
          second.listen({ path }).then(
            () => true,
            () => false,
          ),
        )
        .toBe(true);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it("end with their own clients only, and are replaced", async () => {
    const ports: number[] = [];
    for (let number = 0; number < 4; number++) ports.push(await forwarded(await tunnelTo(host)));
    const closed: unknown[] = [];
    const [dying = 0, other = 0] = host.workerPids;
    const killed = new Promise<void>((resolve) => {
      host.addEventListener("clientclosed", ({ reason }) => {
        closed.push(reason?.message);
        if (closed.length === 2) resolve();
      });
    });
    const worker = nextEvent(host, "workerclosed");
    let chunks = 0;
    const results = ports.map((port) =>
      exchange(port, 3_000_000, () => {
        chunks++;
        if (chunks === 4) process.kill(dying, "SIGKILL");
      }).catch(() => ["lost"]),
    );
    const exchanged = await Promise.all(results);
    await killed;
    const whole = exchanged.filter(([sent, received]) => sent !== undefined && sent === received);
    expect(whole).toHaveLength(2);
    expect(await worker).toMatchObject({ pid: dying, reason: "SIGKILL" });
    const reason = "the worker process ended: SIGKILL";
    expect(closed).toEqual([reason, reason]);
    expect(host.clients).toHaveLength(2);
    await expect.poll(() => host.workerPids.length, { timeout: 5_000 }).toBe(2);
    expect(host.workerPids).toContain(other);
    expect(await ask(await forwarded(await tunnelTo(host)), "hello")).toBe("hello");
  });
});

it("refuses clients while no worker runs, and serves them again later", async () => {
  const single = await start({ workers: workersOf(1) });
  try {
    const closed = nextEvent(single, "clientclosed");
    const tunnel = await tunnelTo(single);
    for (const pid of single.workerPids) process.kill(pid, "SIGKILL");
    await closed;
    expect(await greeting(single.port)).toBe("Not allowed at this time\r\n");
    await tunnel.close();
    await expect.poll(() => greeting(single.port), { timeout: 10_000 }).toMatch(/^SSH-2\.0-/);
  } finally {
    await single.close({ drainMs: 0 });
  }
});

describe("a worker that fails", () => {
  const folder = mkdtempSync(join(tmpdir(), "postern-workers-"));
  const fault = join(folder, "fault");
  const faulty = fileURLToPath(new URL("host-workers/faulty.mjs", import.meta.url));
  let failing: TunnelHost | undefined;

  async function startFaulty(count: number, kind: string, options: Partial<TunnelHostListenOptions> = {}) {
    writeFileSync(fault, kind);
    process.env.POSTERN_WORKER_FAULT = fault;
    failing = await start({ workers: { count, command: [faulty] }, limits: { penalties: false }, ...options });
    return failing;
  }

  afterEach(async () => {
    await failing?.close({ drainMs: 0 });
    failing = undefined;
  });
  afterAll(() => {
    delete process.env.POSTERN_WORKER_FAULT;
    rmSync(folder, { recursive: true, force: true });
  });

  /** Resolves once the peer has seen the end of its connection. */
  async function closedPeer(port: number): Promise<void> {
    const socket = net.connect({ host: "127.0.0.1", port });
    socket.on("error", () => {}).resume();
    await once(socket, "close");
  }

  it.skipIf(process.platform !== "linux")("disconnects a client whose socket it lacks descriptors for", async () => {
    const short = await startFaulty(1, "short");
    const [pid = 0] = short.workerPids;
    const limit = (count: number | string): void => {
      execFileSync("prlimit", ["--pid", String(pid), `--nofile=${count}:`]);
    };
    // The lowest number that is free is the one that a socket would get.
    const used = new Set(readdirSync(`/proc/${pid}/fd`).map(Number));
    let lowest = 0;
    while (used.has(lowest)) lowest++;
    limit(lowest);
    const closed = nextEvent(short, "clientclosed");
    await closedPeer(short.port);
    expect((await closed).reason?.message).toBe("expected a worker to receive the connection, got none");
    expect(short.clients).toHaveLength(0);
    limit(1024);
    expect(await ask(await forwarded(await tunnelTo(short)), "hello")).toBe("hello");
    expect(short.workerPids).toEqual([pid]);
  });

  it("closes the connections that were on their way to it when it ended", async () => {
    const hung = await startFaulty(1, "");
    const [pid = 0] = hung.workerPids;
    process.kill(pid, "SIGSTOP");
    const peers = [1, 2, 3].map(() => closedPeer(hung.port));
    await expect.poll(() => hung.clients.length).toBe(3);
    process.kill(pid, "SIGKILL");
    await Promise.all(peers);
    expect(hung.clients).toHaveLength(0);
  });

  it("holds up neither the client that waits for it nor the host that closes", async () => {
    const hung = await startFaulty(1, "");
    const [pid = 0] = hung.workerPids;
    process.kill(pid, "SIGSTOP");
    try {
      const peer = closedPeer(hung.port);
      await expect.poll(() => hung.clients.length).toBe(1);
      const closed = nextEvent(hung, "clientclosed");
      await hung.close();
      expect((await closed).reason?.message).toBe("the server closed the connection");
      await peer;
    } finally {
      process.kill(pid, "SIGKILL");
    }
  });

  it("gets no client before it answers, as long as another one does", async () => {
    const other = await startFaulty(2, "");
    const [first = 0, second = 0] = other.workerPids;
    writeFileSync(fault, "slow");
    process.kill(first, "SIGKILL");
    await expect.poll(() => other.workerPids.filter((pid) => pid !== first && pid !== second).length).toBe(1);
    for (let number = 0; number < 3; number++) expect(await greeting(other.port)).toMatch(/^SSH-2\.0-/);
    for (const pid of other.workerPids) if (pid !== second) process.kill(pid, "SIGKILL");
  });

  it("is replaced if it cannot load its algorithms", async () => {
    const other = await startFaulty(1, "");
    writeFileSync(fault, "broken");
    for (const pid of other.workerPids) process.kill(pid, "SIGKILL");
    expect(await nextEvent(other, "workerclosed")).toMatchObject({ reason: "SIGKILL" });
    expect(await nextEvent(other, "workerclosed")).toMatchObject({ reason: "cannot load a module" });
    writeFileSync(fault, "");
    await expect.poll(() => greeting(other.port), { timeout: 10_000 }).toMatch(/^SSH-2\.0-/);
    await expect(startFaulty(1, "broken")).rejects.toMatchObject({
      code: "connect",
      message: expect.stringContaining("cannot load a module"),
    });
    await other.close({ drainMs: 0 });
  });

  it("is started again after an error that Node.js throws", async () => {
    const other = await startFaulty(1, "");
    const { execPath } = process;
    try {
      // Longer than a path can be: the system's error is thrown, as ENOMEM is.
      process.execPath = `/${"x".repeat(10_000)}`;
      for (const pid of other.workerPids) process.kill(pid, "SIGKILL");
      await nextEvent(other, "workerclosed");
      const notStarted = await nextEvent(other, "workerclosed");
      expect(notStarted).toMatchObject({ pid: undefined, reason: expect.stringContaining("spawn") });
      await expect(start()).rejects.toMatchObject({ code: "connect", message: expect.stringContaining("spawn") });
    } finally {
      process.execPath = execPath;
    }
    await expect.poll(() => greeting(other.port), { timeout: 10_000 }).toMatch(/^SSH-2\.0-/);
  });
});

it("lets channels in workers end before it closes, and then ends the workers", async () => {
  const single = await start({ workers: workersOf(1) });
  const held: net.Socket[] = [];
  const port = await forwarded(await tunnelTo(single));
  expect(await ask(port, "hello", held)).toBe("hello");
  const [pid = 0] = single.workerPids;
  const closed = single.close({ drainMs: Number.POSITIVE_INFINITY });
  await expect.poll(() => ask(port, "more")).toBeUndefined();
  expect(single.clients).toHaveLength(1);
  held[0]?.write("late");
  expect(String((await once(held[0] as net.Socket, "data"))[0])).toBe("late");
  held[0]?.end();
  await closed;
  const isAlive = (): boolean => {
    try {
      return process.kill(pid, 0);
    } catch {
      return false;
    }
  };
  await expect.poll(isAlive, { timeout: 5_000 }).toBe(false);
});

it("runs the package itself in the workers by default, without the text of --eval", () => {
  const program = fileURLToPath(new URL("host-workers/default.mjs", import.meta.url));
  const text = `await import(${JSON.stringify(pathToFileURL(program).href)})`;
  const args = ["--input-type", "module", "--eval", text];
  expect(execFileSync(process.execPath, args, { encoding: "utf8", timeout: 25_000 })).toBe("2 workers, 2 clients");
});

it("passes the options of Node.js on to workers, without those that stop a process or are its program", () => {
  const { execArgv } = process;
  const inspect = ["--inspect-brk", "--inspect-port", "9230", "--inspect=127.0.0.1:0"];
  const program = ["--input-type", "module", "-p", "1 + 1", "--eval", "text", "--watch-path", "src", "--test"];
  const passed = ["--max-semi-space-size=1", "--conditions", "production", "-r", "./setup.cjs"];
  try {
    process.execArgv = [...inspect, ...passed.slice(0, 3), ...program, ...passed.slice(3)];
    expect(workerExecArgv()).toEqual(passed);
  } finally {
    process.execArgv = execArgv;
  }
});

describe("options that workers cannot have", () => {
  const wrong: readonly (readonly [string, Partial<NodeTunnelHostOptions>, string])[] = [
    ["a tap", { tap: () => undefined }, "expected no tap with workers"],
    [
      "algorithms of another package",
      { algorithms: { ciphers: compatibleAlgorithms.ciphers } },
      "expected algorithms.ciphers of this package with workers",
    ],
    ["no worker", { workers: 0 }, 'expected workers to be "auto" or an integer from 1 to 1024, got 0'],
    ["half a worker", { workers: 1.5 }, "from 1 to 1024, got 1.5"],
    ["a word", { workers: "many" as "auto" }, 'expected workers to be "auto" or an integer from 1 to 1024, got "many"'],
    ["a count that is too large", { workers: { count: 1025 } }, "expected workers.count to be"],
    ["no count", { workers: {} as { count: number } }, "from 1 to 1024, got undefined"],
    [
      "a command that is no list",
      { workers: { count: 1, command: "worker.mjs" as never } },
      "expected workers.command to be an array of strings, got a string",
    ],
    [
      "a command with a number",
      { workers: { count: 1, command: [worker, 1 as never] } },
      "expected workers.command to be an array of strings, got an array",
    ],
    ["an unknown setting", { workers: { count: 1, threads: 2 } as { count: number } }, "threads"],
  ];
  it.each(wrong)("are refused: %s", (_name, options, message) => {
    const create = (): TunnelHost =>
      new TunnelHost({ hostKeys: [hostKey], authorize, workers: workersOf(1), ...options });
    expect(create).toThrow(message);
  });

  it("are refused by reload, which changes nothing then", async () => {
    const ciphers = compatibleAlgorithms.ciphers.slice(0, 1);
    expect(() => host.reload({ algorithms: { ciphers } })).toThrow("expected algorithms.ciphers of this package");
    const login = nextEvent(host, "login");
    await tunnelTo(host);
    expect((await login).algorithms.cipherC2s).toBe("aes256-gcm@openssh.com");
  });
});
