/** Keepalives of a tunnel: a server that does not answer is detected, and the tunnel reconnects. */
import { received, turns } from "@postern/testkit";
import { describe, expect, it, vi } from "vitest";
import { advance, onVirtualClock, openTunnel, outcome, target, World } from "./world/index.ts";

onVirtualClock();

describe("keepAlive", () => {
  it("drops a silent server after 30 s and 5 keepalives, 30 s each, by default", async () => {
    const world = new World();
    const { tunnel, events } = await openTunnel(world);
    world.link.silence();
    await advance(179_999);
    expect(tunnel.state).toBe("open");
    await advance(1);
    expect(events).toEqual(["waiting (timeout)", "attempt 1 in 5000 (timeout)"]);
    await advance(5_000);
    expect(tunnel.state).toBe("open");
    expect(world.links).toHaveLength(2);
  });

  it("keeps a server that answers for hours, through its hourly rekey", async () => {
    const world = new World();
    const { tunnel, events } = await openTunnel(world);
    await advance(3 * 3_600_000 + 1_000);
    expect(events).toEqual([]);
    expect(tunnel.stats().rekeys).toBe(3);
    expect(tunnel.state).toBe("open");
  });

  it.each([
    [{ intervalMs: 1_000, countMax: 1 }, 2_000],
    [{ intervalMs: 1_000, countMax: 3 }, 4_000],
    [{ intervalMs: 10_000 }, 60_000],
    [{ countMax: 1 }, 60_000],
  ])("%j drops a silent server after %i ms", async (keepAlive, after) => {
    const world = new World();
    const { tunnel } = await openTunnel(world, { keepAlive, reconnect: { mode: "never" } });
    world.link.silence();
    await advance(after - 1);
    expect(tunnel.state).toBe("open");
    await advance(1);
    await expect(tunnel.closed).rejects.toMatchObject({
      code: "timeout",
      message: expect.stringContaining(`${after} ms`),
    });
    await advance(1_000);
    expect(vi.getTimerCount()).toBe(1); // the timer of the server, which has not noticed
  });

  it("never drops a server with intervalMs 0", async () => {
    const world = new World();
    const { tunnel } = await openTunnel(world, { keepAlive: { intervalMs: 0 } });
    world.link.silence();
    await advance(1_800_000);
    expect(tunnel.state).toBe("open");
  });

  it("sends nothing to a server that sends data by itself", async () => {
    const world = new World();
    const { tunnel } = await openTunnel(world, { keepAlive: { intervalMs: 1_000 } });
    const before = tunnel.stats().wireBytesOut;
    for (let i = 0; i < 20; i++) {
      await advance(900);
      world.link.connection.notify("hello@example.com", new Uint8Array(0));
    }
    expect(tunnel.stats().wireBytesOut).toBe(before);
    await advance(1_000);
    expect(tunnel.stats().wireBytesOut).toBeGreaterThan(before);
  });

  it("ends connections and calls that wait for the server, and their targets with them", async () => {
    const world = new World();
    let atTarget: ReturnType<typeof received> | undefined;
    world.targets.set("target:80", (pipe) => {
      atTarget = received(pipe);
    });
    const { tunnel } = await openTunnel(world, { keepAlive: { intervalMs: 1_000, countMax: 1 } });
    const forwarding = await tunnel.forward({ port: 7777, target });
    await world.visit(7777);
    await turns();
    world.link.silence();
    const calls = [tunnel.listen({ port: 7778 }), forwarding.probe(), forwarding.close()];
    expect(await Promise.all(calls.map(outcome))).toEqual(["unsettled", "unsettled", "unsettled"]);
    await advance(2_000);
    // A lost connection has freed the port, so close() resolves.
    expect(await Promise.all(calls.map(outcome))).toEqual(["timeout", "timeout", "resolved"]);
    expect(atTarget?.closed).toBe(true);
    expect(atTarget?.error).toBeDefined();
  });

  it("sends at once after the machine slept, and decides within 10 s", async () => {
    const world = new World();
    const { tunnel, events } = await openTunnel(world);
    world.link.silence();
    await advance(10_000);
    // The monotonic clock stopped, unlike the wall clock.
    vi.setSystemTime(Date.now() + 8 * 3_600_000);
    await advance(20_000);
    expect(tunnel.state).toBe("open");
    await advance(9_999);
    expect(tunnel.state).toBe("open");
    await advance(1);
    expect(events[0]).toBe("waiting (timeout)");
    await advance(5_000);
    expect(tunnel.state).toBe("open");
  });

  it("keeps the connection after the machine slept if the server answers", async () => {
    const world = new World();
    const { tunnel, events } = await openTunnel(world);
    vi.setSystemTime(Date.now() + 8 * 3_600_000);
    await advance(120_000);
    expect(events).toEqual([]);
    expect(tunnel.state).toBe("open");
    expect(world.links).toHaveLength(1);
  });

  it("ignores changes of the wall clock by seconds", async () => {
    const world = new World();
    const { events } = await openTunnel(world);
    for (let i = 0; i < 20; i++) {
      vi.setSystemTime(Date.now() + (i % 2 === 0 ? -5_000 : 5_000));
      await advance(30_000);
    }
    expect(events).toEqual([]);
  });
});

describe("a network that falls silent", () => {
  it("makes the tunnel reconnect, also during a key exchange", async () => {
    const world = new World();
    const { tunnel } = await openTunnel(world, {
      keepAlive: { intervalMs: 5_000, countMax: 2 },
      rekey: { ms: 60_000 },
    });
    await advance(59_999);
    world.link.silence();
    await advance(1 + 15_000 + 5_000);
    expect(tunnel.state).toBe("open");
    expect(world.links).toHaveLength(2);
  });

  it("makes every forwarding open again each time", async () => {
    const world = new World();
    const { tunnel } = await openTunnel(world, { keepAlive: { intervalMs: 1_000, countMax: 1 } });
    const forwardings = await Promise.all([7001, 7002, 7003].map((port) => tunnel.listen({ port })));
    for (let i = 1; i <= 5; i++) {
      world.link.silence();
      await advance(2_000);
      expect(forwardings.map(({ state }) => state)).toEqual(["pending", "pending", "pending"]);
      await advance(5_000);
      expect(forwardings.map(({ state }) => state)).toEqual(["open", "open", "open"]);
      expect(tunnel.stats().reconnects).toBe(i);
    }
  });
});
