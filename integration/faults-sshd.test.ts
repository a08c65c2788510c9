/** Tunnels to an sshd that is killed, restarted, or stopped. */
import type { Forwarding } from "@postern/node";
import { beforeEach, describe, expect, it } from "vitest";
import { echoes } from "./harness/clients/host.ts";
import {
  atEnd,
  back,
  behind,
  echo,
  exchange,
  forwardTo,
  freePort,
  isListening,
  leavesNothing,
  lost,
  missing,
  mustSettle,
  pollOptions,
  type Sshd,
  type SshdOptions,
  startSshd,
  userKey,
  visit,
  type Watched,
  watched,
  watchedOpen,
} from "./harness/index.ts";

describe.skipIf(missing("sshd", "password"))("a tunnel through an sshd", () => {
  leavesNothing();
  let sshd: Sshd;
  let record: Watched;
  let web: Forwarding;
  /** Opens a tunnel with a forwarding of a fixed port. */
  const open = async (options: SshdOptions = {}, more: Parameters<typeof watchedOpen>[1] = {}): Promise<void> => {
    sshd = await startSshd({ authorizedKeys: [(await userKey()).publicLine], ...options });
    atEnd(() => sshd.stop());
    record = await watchedOpen(sshd, more);
    web = await forwardTo(record, await echo(), { port: await freePort() });
  };
  const comesBack = async (times = 1): Promise<void> => {
    await back(record, web, times);
    expect(await echoes(web.port)).toBe(true);
  };
  beforeEach(() => userKey());

  it("reconnects after its sshd process was killed, and reports each state", async () => {
    await open();
    const { tunnel, states, attempts, forwardings } = record;
    const { port } = web;
    const visitor = await visit(port);
    await visitor.send("before");
    await visitor.read(6);
    states.length = forwardings.length = 0;
    sshd.signal("SIGKILL", "sessions");
    await comesBack();
    expect(states).toEqual(["waiting", "connecting", "authenticating", "open"]);
    expect(attempts).toEqual([{ attempt: 1, maxRetries: Number.POSITIVE_INFINITY, intervalMs: 100, reason: "closed" }]);
    expect(forwardings.at(0)).toBe("pending closed");
    expect(forwardings.at(-1)).toBe("open");
    expect([web.port, tunnel.forwardings]).toEqual([port, [web]]);
    // Bytes in flight are lost, but the visitor's connection must end.
    await visitor.readAll().catch(() => undefined);
    visitor.socket.destroy();
  });

  it("reconnects each time", async () => {
    await open();
    for (let times = 1; times <= 5; times++) {
      sshd.signal("SIGKILL", "sessions");
      await comesBack(times);
    }
    expect(record.attempts.filter(({ attempt }) => attempt === 1)).toHaveLength(5);
  });

  it("stays open after only the listening sshd was killed", async () => {
    await open({ sessionsOutlive: true });
    sshd.signal("SIGKILL", "listener");
    await expect.poll(() => isListening(sshd.port), pollOptions).toBe(false);
    expect(await echoes(web.port)).toBe(true);
    expect([record.tunnel.state, record.attempts]).toEqual(["open", []]);

    // Then the connection is lost too. The tunnel retries until sshd listens again.
    sshd.signal("SIGKILL", "sessions");
    await expect.poll(() => record.attempts.length, pollOptions).toBeGreaterThan(3);
    expect(record.attempts.map(({ reason }) => reason).slice(0, 3)).toEqual(["closed", "connect", "connect"]);
    expect(record.attempts.map(({ attempt }) => attempt).slice(0, 3)).toEqual([1, 2, 3]);
    await sshd.restart();
    await comesBack();
  });

  it("reconnects after a restart with the same host key", async () => {
    await open();
    await sshd.kill();
    await expect.poll(() => record.attempts.length, pollOptions).toBeGreaterThan(2);
    expect([record.tunnel.state !== "open", web.state]).toEqual([true, "pending"]);
    await expect(web.probe()).rejects.toMatchObject({ code: "closed" });
    await sshd.restart();
    await comesBack();
  });

  it("retries only after a minute if sshd has restarted with another host key", async () => {
    await open({}, { reconnect: { mode: "always" } });
    await sshd.kill();
    await sshd.restart({ newHostKeys: true });
    await expect.poll(() => record.attempts.at(-1)?.reason, pollOptions).toBe("hostkey");
    expect(record.attempts.at(-1)?.intervalMs).toBeGreaterThanOrEqual(60_000);
    expect([record.tunnel.state, web.state]).toEqual(["waiting", "pending"]);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect(sshd.log().match(/Connection from/g)).toHaveLength(1);
  });

  it("gives up after a restart with another host key if `final` returns true", async () => {
    await open({}, { reconnect: { mode: "always", final: ({ code }) => code === "hostkey" } });
    await sshd.kill();
    await sshd.restart({ newHostKeys: true });
    await expect(mustSettle("closed", record.tunnel.closed)).rejects.toMatchObject({ code: "hostkey" });
    await expect(mustSettle("closed", web.closed)).rejects.toMatchObject({ code: "hostkey" });
    expect([record.tunnel.state, web.state, record.states.at(-1)]).toEqual(["closed", "closed", "closed"]);
    const { length } = record.attempts;
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect(record.attempts).toHaveLength(length);
    expect(sshd.log().match(/Connection from/g)).toHaveLength(1);
  });

  it("loses an sshd that is stopped for longer than the keepalive, and reconnects once it continues", async () => {
    await open({}, { loginTimeoutMs: 1_000 });
    sshd.signal("SIGSTOP", "all");
    // The kernel still accepts our connections, but sshd does not answer.
    await expect.poll(() => record.attempts.length, pollOptions).toBeGreaterThan(3);
    const { attempts } = record;
    expect(attempts.slice(0, 4).map(({ reason }) => reason)).toEqual(["timeout", "timeout", "timeout", "timeout"]);
    // The intervals do not grow, because the server did not reject us.
    expect(attempts.slice(0, 4).map(({ intervalMs }) => intervalMs)).toEqual([100, 100, 100, 100]);
    sshd.signal("SIGCONT", "all");
    await comesBack();
  });

  it("reconnects at once if only its sshd process is stopped, and waits for its port", async () => {
    await open();
    sshd.signal("SIGSTOP", "sessions");
    await lost(record);
    await expect.poll(() => record.forwardings.at(-1), pollOptions).toBe("pending refused");
    expect([record.tunnel.state, web.state, web.reason?.code]).toEqual(["open", "pending", "refused"]);
    sshd.signal("SIGCONT", "sessions");
    await comesBack(1);
    expect(record.attempts).toHaveLength(1);
  });

  it("loses no byte if sshd is stopped for a moment", async () => {
    await open({}, { keepAlive: { intervalMs: 1_000, countMax: 5 } });
    const visitor = await visit(web.port);
    await visitor.send("before");
    await visitor.read(6);
    sshd.signal("SIGSTOP", "all");
    await visitor.send(" and after");
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    sshd.signal("SIGCONT", "all");
    expect((await visitor.read(10)).toString()).toBe(" and after");
    expect(record.attempts).toEqual([]);
    visitor.socket.destroy();
  });

  it("yields channels in one loop before and after a reconnect", async () => {
    await open();
    const raw = await mustSettle("listen", record.tunnel.listen({ port: await freePort() }));
    const served: string[] = [];
    const loop = (async () => {
      for await (const channel of raw) {
        served.push(raw.state);
        await channel.readable.pipeTo(channel.writable).catch(() => undefined);
      }
      return "ended";
    })();
    const done = mustSettle("the loop over channels", loop);
    expect((await exchange(raw.port, "one")).toString()).toBe("one");
    sshd.signal("SIGKILL", "sessions");
    await comesBack();
    await back(record, raw);
    expect((await exchange(raw.port, "two")).toString()).toBe("two");
    expect(served).toHaveLength(2);
    await record.tunnel.close();
    expect(await done).toBe("ended");
  });

  it("rejects `closed` of the tunnel and its forwardings with the connection's error in mode `never`", async () => {
    await open({}, { reconnect: { mode: "never" } });
    const raw = await record.tunnel.listen({ port: 0 });
    const next = mustSettle("next", raw[Symbol.asyncIterator]().next());
    sshd.signal("SIGKILL", "sessions");
    for (const end of [record.tunnel.closed, web.closed, raw.closed, next]) {
      await expect(end).rejects.toMatchObject({ code: "closed" });
    }
    expect([record.tunnel.state, record.attempts]).toEqual(["closed", []]);
    await expect(record.tunnel.connect()).rejects.toMatchObject({ code: "misuse" });
  });

  it("gives up after maxRetries attempts, with the last reason", async () => {
    await open({}, { reconnect: { maxRetries: 3 } });
    await sshd.kill();
    await expect(record.tunnel.closed).rejects.toMatchObject({ code: "connect" });
    expect(record.attempts.map(({ attempt, maxRetries }) => `${attempt} of ${maxRetries}`)).toEqual([
      "1 of 3",
      "2 of 3",
      "3 of 3",
    ]);
  });

  it("stops retrying after preventDefault", async () => {
    await open();
    record.tunnel.addEventListener("reconnectattempt", (event) => {
      if (event.attempt === 2) event.preventDefault();
    });
    await sshd.kill();
    await expect(record.tunnel.closed).rejects.toMatchObject({ name: "SshError" });
    expect(record.attempts.map(({ attempt }) => attempt)).toEqual([1, 2]);
  });

  it("waits for an sshd that has not started only in mode `always`", async () => {
    await open();
    await record.tunnel.close();
    await sshd.kill();
    for (const mode of ["never", "established"] as const) {
      const { tunnel, attempts } = await watched(sshd, { reconnect: { mode } });
      await expect(mustSettle("login", tunnel.connect())).rejects.toMatchObject({ code: "connect" });
      expect([tunnel.state, attempts]).toEqual(["closed", []]);
    }
    const waiting = await watched(sshd, { reconnect: { mode: "always" } });
    const login = mustSettle("login", waiting.tunnel.connect());
    await expect.poll(() => waiting.attempts.length, pollOptions).toBeGreaterThan(2);
    await sshd.restart();
    await login;
    expect(waiting.tunnel.state).toBe("open");
  });

  it("connects to the next of its servers after one has died", async () => {
    await open();
    await record.tunnel.close();
    const [first, second] = [await behind(sshd), await behind(sshd)];
    const hosts = [first, second].map(({ port }) => ({ host: "127.0.0.1", port }));
    const { tunnel, attempts } = await watched(sshd, { hosts });
    await tunnel.connect();
    await first.box.down();
    first.box.reset();
    await expect.poll(() => tunnel.stats().reconnects, pollOptions).toBe(1);
    expect([first.box.open, second.box.open]).toEqual([0, 1]);
    expect(attempts.map(({ reason }) => reason)).toEqual(["closed", "connect"]);
  });
});
