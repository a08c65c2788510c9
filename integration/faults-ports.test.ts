/** Ports in use, names that do not resolve, targets that are down, and wrong credentials. */
import { createServer } from "node:net";
import { password, type TunnelOptions } from "@postern/node";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { echoes } from "./harness/clients/host.ts";
import {
  atEnd,
  back,
  behind,
  echo,
  exchange,
  forwardTo,
  freePort,
  leavesNothing,
  lost,
  missing,
  mustSettle,
  pollOptions,
  refusingPort,
  type Sshd,
  type SshdOptions,
  startSshd,
  target,
  userKey,
  watched,
  watchedOpen,
} from "./harness/index.ts";

/** Resolves one name to 127.0.0.1, or fails. The system's resolver handles all other names. */
const resolver = vi.hoisted(() => ({ fails: true, asked: 0 }));
vi.mock("node:dns/promises", async (original) => {
  const real = await original<typeof import("node:dns/promises")>();
  return {
    ...real,
    lookup: (name: string, options: object) => {
      if (name !== "ssh.example.test") return real.lookup(name, options);
      resolver.asked++;
      if (!resolver.fails) return Promise.resolve([{ address: "127.0.0.1", family: 4 }]);
      return Promise.reject(Object.assign(new Error("getaddrinfo EAI_AGAIN"), { code: "EAI_AGAIN" }));
    },
  };
});

const start = async (options: SshdOptions = {}): Promise<Sshd> => {
  const sshd = await startSshd({ authorizedKeys: [(await userKey()).publicLine], ...options });
  atEnd(() => sshd.stop());
  return sshd;
};

/** Listens on the port like another program on the server's machine. Returns a function that releases the port. */
const occupy = async (port: number | undefined, host = "127.0.0.1"): Promise<() => Promise<void>> => {
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.resume().end("another program\n");
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, resolve);
  });
  const release = (): Promise<void> => new Promise((resolve) => server.close(() => resolve()));
  atEnd(() => (server.listening ? release() : undefined));
  return release;
};

describe.skipIf(missing("sshd", "password"))("a tunnel with a fault at one end", () => {
  beforeAll(() => userKey());
  leavesNothing();

  it("keeps a forwarding pending while another program has its port, and reports the reason", async () => {
    const sshd = await start();
    const record = await watchedOpen(sshd);
    const web = await forwardTo(record, await echo(), { address: "127.0.0.1", port: await freePort() });
    const other = await forwardTo(record, await echo(), { address: "127.0.0.1", port: await freePort() });
    await sshd.kill();
    const release = await occupy(web.port);
    await sshd.restart();
    await back(record, other);
    await expect.poll(() => web.reason?.code, pollOptions).toBe("refused");
    expect([record.tunnel.state, web.state]).toEqual(["open", "pending"]);
    // The other forwarding works, and visitors of the taken port reach the other program.
    expect(await echoes(other.port)).toBe(true);
    expect((await exchange(web.port, "")).toString()).toBe("another program\n");
    await release();
    await back(record, web, 1);
    expect(await echoes(web.port)).toBe(true);
    expect(record.attempts.filter(({ attempt }) => attempt === 1)).toHaveLength(1);
  });

  it("detects with a probe that another program has the port on one address family", async () => {
    const sshd = await start();
    const record = await watchedOpen(sshd);
    const web = await forwardTo(record, await echo(), { address: "localhost", port: await freePort() });
    expect(await web.probe()).toMatchObject({ ok: true });
    await sshd.kill();
    await occupy(web.port);
    await sshd.restart();
    await back(record, web);
    const { ok, answers } = await web.probe();
    expect([ok, Object.fromEntries(answers)]).toEqual([false, { "127.0.0.1": "foreign", "::1": "ours" }]);
  });

  it("rejects a first request for a port in use", async () => {
    const sshd = await start();
    const { tunnel } = await watchedOpen(sshd);
    const port = await freePort();
    const release = await occupy(port);
    const request = (): Promise<unknown> => tunnel.listen({ address: "127.0.0.1", port });
    await expect(mustSettle("request", request())).rejects.toMatchObject({ code: "refused" });
    expect(tunnel.forwardings).toEqual([]);
    await release();
    await request();
  });

  it("waits until the server has released the port of our dead session", async () => {
    const sshd = await start({ config: { ClientAliveInterval: "1", ClientAliveCountMax: "2" } });
    const { box, ...server } = await behind(sshd);
    const record = await watchedOpen(server);
    const web = await forwardTo(record, await echo(), { port: await freePort() });
    box.silence("both", "open");
    await lost(record);
    await expect.poll(() => record.forwardings.at(-1), pollOptions).toBe("pending refused");
    expect([record.tunnel.state, web.state, web.reason?.code]).toEqual(["open", "pending", "refused"]);
    await sshd.logged(/Timeout, client not responding/, 30_000);
    await back(record, web, 1);
    expect(await echoes(web.port)).toBe(true);
    expect([record.attempts.length, box.accepted]).toEqual([1, 2]);
  });

  it("keeps the port that the server chose, with keepPort, until our dead session releases it", async () => {
    const sshd = await start({ config: { ClientAliveInterval: "2", ClientAliveCountMax: "2" } });
    const { box, ...server } = await behind(sshd);
    const record = await watchedOpen(server);
    const [moving, keeping] = await Promise.all([
      forwardTo(record, await echo(), { port: 0 }),
      forwardTo(record, await echo(), { port: 0, keepPort: true }),
    ]);
    const [left, kept] = [moving.port, keeping.port];
    box.silence("both", "open");
    await lost(record);
    await back(record, moving);
    expect(moving.port).not.toBe(left);
    expect(keeping).toMatchObject({ state: "pending", port: kept, reason: { code: "refused" } });
    await sshd.logged(/Timeout, client not responding/, 30_000);
    await back(record, keeping);
    expect(keeping.port).toBe(kept);
    expect(await echoes(kept)).toBe(true);
  });

  it("continues a request with `wait` after the connection is lost", async () => {
    const sshd = await start();
    const record = await watchedOpen(sshd);
    const port = await freePort();
    const release = await occupy(port);
    const waiting = forwardTo(record, await echo(), { address: "127.0.0.1", port, wait: true });
    const other = await forwardTo(record, await echo(), { port: await freePort() });
    await sshd.kill();
    await sshd.restart();
    await back(record, other);
    await release();
    const forwarding = await waiting;
    expect(forwarding.state).toBe("open");
    expect(await echoes(port)).toBe(true);
  });

  it("retries until the name of its server resolves", async () => {
    const sshd = await start();
    const { box, port, ...server } = await behind(sshd);
    resolver.fails = true;
    const hosts = [{ host: "ssh.example.test", port }];
    const early = await watched({ ...server, port }, { hosts });
    await expect(mustSettle("login", early.tunnel.connect())).rejects.toMatchObject({ code: "connect" });
    const record = await watched({ ...server, port }, { hosts, reconnect: { mode: "always" } });
    const login = mustSettle("login", record.tunnel.connect());
    await expect.poll(() => record.attempts.length, pollOptions).toBeGreaterThan(2);
    resolver.fails = false;
    await login;

    const web = await forwardTo(record, await echo());
    record.attempts.length = 0;
    resolver.fails = true;
    box.reset();
    await expect.poll(() => record.attempts.length, pollOptions).toBeGreaterThan(3);
    expect(record.attempts.map(({ reason }) => reason).slice(0, 3)).toEqual(["closed", "connect", "connect"]);
    const { asked } = resolver;
    resolver.fails = false;
    await back(record, web);
    expect(await echoes(web.port)).toBe(true);
    expect(resolver.asked).toBeGreaterThan(asked);
  });

  it("connects to its second server if the first name does not resolve", async () => {
    const sshd = await start();
    resolver.fails = true;
    const hosts = [{ host: "ssh.example.test" }, { host: "127.0.0.1", port: sshd.port }];
    const record = await watched(sshd, { hosts, reconnect: { mode: "always" } });
    await mustSettle("login", record.tunnel.connect());
    expect(record.tunnel.state).toBe("open");
  });

  it("closes visitors while the target is down, and serves them after it has started", async () => {
    const sshd = await start();
    const record = await watchedOpen(sshd);
    const errors: unknown[] = [];
    record.tunnel.addEventListener("visitorerror", ({ error }) => errors.push(error));
    const port = await refusingPort();
    const web = await forwardTo(record, { port });
    for (let visitor = 0; visitor < 3; visitor++) {
      expect((await exchange(web.port, "anybody?").catch(() => Buffer.alloc(0))).length).toBe(0);
    }
    expect(errors).toHaveLength(3);
    for (const error of errors) expect(error).toMatchObject({ name: "SshError", code: "connect" });
    const server = createServer({ allowHalfOpen: true }, (socket) => socket.pipe(socket));
    await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
    atEnd(() => void server.close());
    expect(await echoes(web.port)).toBe(true);
    expect([record.attempts, web.stats().refused]).toEqual([[], 3]);
  });

  it("ends the visitors of a target that has died, and serves the others", async () => {
    const sshd = await start();
    const record = await watchedOpen(sshd);
    const dying = await target((socket) => void socket.once("data", () => socket.resetAndDestroy()));
    atEnd(() => dying.stop());
    const [bad, good] = [await forwardTo(record, dying), await forwardTo(record, await echo())];
    expect((await exchange(bad.port, "hello").catch(() => Buffer.alloc(0))).length).toBe(0);
    expect(await echoes(good.port)).toBe(true);
    expect(record.attempts).toEqual([]);
  });
});

describe.skipIf(missing("sshd", "password"))("a tunnel with a wrong password", () => {
  let sshd: Sshd;
  beforeAll(async () => {
    sshd = await startSshd({ password: true });
  });
  afterAll(() => sshd.stop());
  leavesNothing();

  const wrong: Partial<TunnelOptions> = { auth: [password("wrong")] };
  for (const mode of ["never", "established", "always"] as const) {
    it(`rejects the first login in mode \`${mode}\` without a retry`, async () => {
      const { box, ...server } = await behind(sshd);
      const { tunnel, attempts } = await watched(server, { ...wrong, reconnect: { mode } });
      await expect(mustSettle("login", tunnel.connect())).rejects.toMatchObject({ code: "auth" });
      await new Promise((resolve) => setTimeout(resolve, 400));
      expect([tunnel.state, attempts, box.accepted]).toEqual(["closed", [], 1]);
    });
  }

  it("rejects the first login without a retry if the server disconnects after one attempt (MaxAuthTries 1)", async () => {
    const strict = await start({ password: true, config: { MaxAuthTries: "1" } });
    const { box, ...server } = await behind(strict);
    const { tunnel, attempts } = await watched(server, { ...wrong, reconnect: { mode: "always" } });
    await expect(mustSettle("login", tunnel.connect())).rejects.toMatchObject({ code: "auth" });
    expect([attempts, box.accepted]).toEqual([[], 1]);
  });

  it("retries after a minute if the password was changed while the connection was down", async () => {
    let given = sshd.password ?? "";
    const { box, ...server } = await behind(sshd);
    const record = await watchedOpen(server, {
      auth: [password(given)],
      reconnect: { mode: "always" },
      beforeReconnect: () => ({ auth: [password(given)] }),
    });
    box.reset();
    await expect.poll(() => record.tunnel.stats().reconnects, pollOptions).toBe(1);
    given = "changed";
    box.reset();
    await expect.poll(() => record.attempts.at(-1)?.reason, pollOptions).toBe("auth");
    expect(record.attempts.at(-1)?.intervalMs).toBeGreaterThanOrEqual(60_000);
    expect([record.tunnel.state, record.attempts.length, box.accepted]).toEqual(["waiting", 3, 3]);
  });
});
