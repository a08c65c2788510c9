/** Keepalive as a tunnel's user sees it: a host that is gone is found out, and the tunnel comes back. */
import { describe, expect, it, vi } from "vitest";
import { advance, HostWorld, heard, onVirtualClock, openTunnel, outcome, settle, target } from "./host-world.ts";

onVirtualClock();

describe("keepAlive", () => {
  it("finds out by default that a host has gone after 30 s of silence and 5 questions, 30 s each", async () => {
    const world = new HostWorld();
    const { tunnel, told } = await openTunnel(world);
    world.link.silence();
    await advance(179_999);
    expect(tunnel.state).toBe("open");
    await advance(1);
    expect(told).toEqual(["waiting (timeout)", "attempt 1 in 5000 (timeout)"]);
    await advance(5_000);
    expect(tunnel.state).toBe("open");
    expect(world.links).toHaveLength(2);
  });

  it("leaves a host that answers alone for hours, through its hourly rekey", async () => {
    const world = new HostWorld();
    const { tunnel, told } = await openTunnel(world);
    await advance(3 * 3_600_000 + 1_000);
    expect(told).toEqual([]);
    expect(tunnel.stats().rekeys).toBe(3);
    expect(tunnel.state).toBe("open");
  });

  it.each([
    [{ intervalMs: 1_000, countMax: 1 }, 2_000],
    [{ intervalMs: 1_000, countMax: 3 }, 4_000],
    [{ intervalMs: 10_000 }, 60_000],
    [{ countMax: 1 }, 60_000],
  ])("%j gives a silent host up after %i ms", async (keepAlive, after) => {
    const world = new HostWorld();
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
    expect(vi.getTimerCount()).toBe(1); // that of the host, which knows nothing of it
  });

  it("intervalMs 0 never gives a host up", async () => {
    const world = new HostWorld();
    const { tunnel } = await openTunnel(world, { keepAlive: { intervalMs: 0 } });
    world.link.silence();
    await advance(1_800_000);
    expect(tunnel.state).toBe("open");
  });

  it("asks nothing of a host that speaks by itself", async () => {
    const world = new HostWorld();
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

  it("breaks connections and calls that wait for the host, and their targets with them", async () => {
    const world = new HostWorld();
    let atTarget: ReturnType<typeof heard> | undefined;
    world.targets.set("target:80", (pipe) => {
      atTarget = heard(pipe);
    });
    const { tunnel } = await openTunnel(world, { keepAlive: { intervalMs: 1_000, countMax: 1 } });
    const forwarding = await tunnel.forward({ port: 7777, target });
    await world.visit(7777);
    await settle();
    world.link.silence();
    const calls = [tunnel.listen({ port: 7778 }), forwarding.probe(), forwarding.close()];
    expect(await Promise.all(calls.map(outcome))).toEqual(["unsettled", "unsettled", "unsettled"]);
    await advance(2_000);
    // What was to be cancelled is gone, and that is no failure.
    expect(await Promise.all(calls.map(outcome))).toEqual(["timeout", "timeout", "resolved"]);
    expect(atTarget?.closed).toBe(true);
    expect(atTarget?.error).toBeDefined();
  });

  it("makes a machine that slept ask at once, and decide within 10 s", async () => {
    const world = new HostWorld();
    const { tunnel, told } = await openTunnel(world);
    world.link.silence();
    await advance(10_000);
    // The monotonic clock stood still; the one on the wall did not.
    vi.setSystemTime(Date.now() + 8 * 3_600_000);
    await advance(20_000);
    expect(tunnel.state).toBe("open");
    await advance(9_999);
    expect(tunnel.state).toBe("open");
    await advance(1);
    expect(told[0]).toBe("waiting (timeout)");
    await advance(5_000);
    expect(tunnel.state).toBe("open");
  });

  it("keeps the connection of a machine that slept when the host answers", async () => {
    const world = new HostWorld();
    const { tunnel, told } = await openTunnel(world);
    vi.setSystemTime(Date.now() + 8 * 3_600_000);
    await advance(120_000);
    expect(told).toEqual([]);
    expect(tunnel.state).toBe("open");
    expect(world.links).toHaveLength(1);
  });

  it("is not disturbed by a clock on the wall that is set back and forth by seconds", async () => {
    const world = new HostWorld();
    const { told } = await openTunnel(world);
    for (let i = 0; i < 20; i++) {
      vi.setSystemTime(Date.now() + (i % 2 === 0 ? -5_000 : 5_000));
      await advance(30_000);
    }
    expect(told).toEqual([]);
  });
});

describe("the network falls silent", () => {
  it("while a key exchange is on: the tunnel comes back", async () => {
    const world = new HostWorld();
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

  it("again and again: every forwarding is there each time", async () => {
    const world = new HostWorld();
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
