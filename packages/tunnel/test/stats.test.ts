/** stats() and the timeline. */
import { echo, received, turns } from "@postern/testkit";
import { describe, expect, it } from "vitest";
import type { TunnelStats } from "../src/index.ts";
import { advance, onVirtualClock, openTunnel, target, tunnelTo, World } from "./world/index.ts";

onVirtualClock();

const bytes = (size: number): Uint8Array<ArrayBuffer> => new Uint8Array(size);

describe("stats", () => {
  it("count the figures of each forwarding, and their sum", async () => {
    const world = new World();
    world.targets.set("target:80", echo);
    const { tunnel } = await openTunnel(world);
    const one = await tunnel.forward({ port: 7001, target });
    const two = await tunnel.forward({ port: 7002, target, onOpen: () => false });
    const visitor = await world.visit(7001);
    received(visitor);
    visitor.write(bytes(1_000));
    await expect(world.visit(7002)).rejects.toMatchObject({ code: "refused" });
    await turns();
    const first = { accepted: 1, open: 1, refused: 0, bytesIn: 1_000, bytesOut: 1_000, stalls: 0 };
    const second = { accepted: 0, open: 0, refused: 1, bytesIn: 0, bytesOut: 0, stalls: 0 };
    expect(one.stats()).toEqual(first);
    expect(two.stats()).toEqual(second);
    expect(tunnel.stats()).toMatchObject({ ...first, refused: 1, reconnects: 0, rekeys: 0 });
    expect([...tunnel.stats().forwardings]).toEqual([
      [one, first],
      [two, second],
    ]);
    visitor.end();
    await advance(1_000);
    expect(one.stats()).toEqual({ ...first, open: 0 });
  });

  it("count the visitors that a listener takes", async () => {
    const world = new World();
    const { tunnel } = await openTunnel(world);
    const forwarding = await tunnel.listen({ port: 7777 });
    const visitor = await world.visit(7777);
    visitor.write(bytes(10));
    await turns();
    expect(forwarding.stats()).toMatchObject({ accepted: 1, open: 1, bytesIn: 10, bytesOut: 0 });
  });

  it("count how often a write waited for the server's window", async () => {
    const world = new World();
    const { tunnel } = await openTunnel(world);
    const forwarding = await tunnel.listen({ port: 7777 });
    const visitor = await world.visit(7777);
    const { value: channel } = await forwarding[Symbol.asyncIterator]().next();
    // The server reads nothing; its window is 2 MiB.
    expect(channel?.write(bytes(2 * 1024 * 1024 + 1))).toBe(false);
    await turns();
    const { stalls, bytesOut } = forwarding.stats();
    expect(stalls).toBeGreaterThan(0);
    expect(bytesOut).toBe(2 * 1024 * 1024);
    received(visitor);
    await turns();
    expect(forwarding.stats().bytesOut).toBe(2 * 1024 * 1024 + 1);
  });

  it("never decrease over reconnections and the end, and `open` returns to 0", async () => {
    const world = new World();
    world.targets.set("target:80", echo);
    const { tunnel } = await openTunnel(world, { reconnect: { intervalMs: 1 } });
    const growing = ["accepted", "bytesIn", "bytesOut", "wireBytesIn", "wireBytesOut", "rekeys", "reconnects"] as const;
    let before: TunnelStats = tunnel.stats();
    const grew = (): TunnelStats => {
      const now = tunnel.stats();
      for (const name of growing) expect(now[name], name).toBeGreaterThanOrEqual(before[name]);
      before = now;
      return now;
    };
    const visit = async (port: number): Promise<void> => {
      const visitor = await world.visit(port);
      received(visitor);
      visitor.write(bytes(100));
      await turns();
    };
    const kept = await tunnel.forward({ port: 7001, target });
    for (let i = 0; i < 3; i++) {
      const cancelled = await tunnel.forward({ port: 7002, target });
      await visit(7001);
      await visit(7002);
      expect(grew().open).toBe(2);
      await cancelled.close();
      expect(grew().open).toBe(2);
      world.link.connection.rekey();
      await turns();
      world.link.cut();
      await turns();
      expect(grew().open).toBe(0);
      await advance(1);
      expect(kept.state).toBe("open");
      expect(grew().reconnects).toBe(i + 1);
    }
    await tunnel.close();
    expect(grew()).toMatchObject({ accepted: 6, open: 0, bytesIn: 600, bytesOut: 600, reconnects: 3, rekeys: 3 });
    expect(before.wireBytesIn).toBeGreaterThan(5_000);
    expect(before.forwardings.size).toBe(0);
  });

  it("count the connections of a forwarding that was closed", async () => {
    const world = new World();
    world.targets.set("target:80", echo);
    const { tunnel } = await openTunnel(world);
    const forwarding = await tunnel.forward({ port: 7777, target });
    const visitor = await world.visit(7777);
    received(visitor);
    await turns();
    await forwarding.close();
    visitor.write(bytes(50));
    await turns();
    expect(tunnel.stats()).toMatchObject({ open: 1, accepted: 1, bytesIn: 50, bytesOut: 50 });
    visitor.end();
    await advance(1_000);
    expect(tunnel.stats()).toMatchObject({ open: 0, accepted: 1, bytesIn: 50, bytesOut: 50 });
    expect(forwarding.stats()).toMatchObject({ open: 0, accepted: 1, bytesIn: 50 });
  });

  it("include the round trip of the last answered keepalive", async () => {
    const world = new World();
    const { tunnel } = await openTunnel(world, { keepAlive: { intervalMs: 1_000 } });
    for (const delayMs of [50, 20]) {
      world.delayMs = delayMs;
      await advance(2_000);
      expect(tunnel.stats().roundTripMs).toBe(2 * delayMs);
    }
    void tunnel.close();
    expect(tunnel.stats().roundTripMs).toBeUndefined();
  });

  it("are all 0 before the first login", () => {
    const { forwardings, roundTripMs, ...figures } = tunnelTo(new World()).tunnel.stats();
    expect(new Set(Object.values(figures))).toEqual(new Set([0]));
    expect([forwardings.size, roundTripMs]).toEqual([0, undefined]);
  });
});

describe("the timeline", () => {
  it("records each change of state of the tunnel and its forwardings, with time and reason", async () => {
    const world = new World();
    const { tunnel } = await openTunnel(world);
    const start = Date.now();
    await tunnel.listen({ port: 7777 });
    await advance(1_000);
    world.link.cut();
    await advance(5_000);
    await tunnel.close();
    expect(
      tunnel.timeline.map(({ at, state, forwarding, reason }) => [at - start, state, forwarding, reason !== undefined]),
    ).toEqual([
      [0, "connecting", undefined, false],
      [0, "authenticating", undefined, false],
      [0, "open", undefined, false],
      [0, "open", "localhost:7777", false],
      [1_000, "waiting", undefined, true],
      [1_000, "pending", "localhost:7777", true],
      [6_000, "connecting", undefined, false],
      [6_000, "authenticating", undefined, false],
      [6_000, "open", undefined, false],
      [6_000, "open", "localhost:7777", false],
      [6_000, "closed", "localhost:7777", false],
      [6_000, "closed", undefined, false],
    ]);
    expect(tunnel.timeline[4]?.reason).toMatch(/lost|abort|end/);
  });

  it("holds the last 100 entries, and a copy that was returned does not change", async () => {
    const world = new World();
    const { tunnel } = await openTunnel(world, { reconnect: { intervalMs: 1_000 } });
    const early = tunnel.timeline;
    expect(early).toHaveLength(3);
    world.fate = "refuse";
    world.link.cut();
    await advance(100_000);
    expect(tunnel.timeline).toHaveLength(100);
    expect(early).toHaveLength(3);
    const times = tunnel.timeline.map(({ at }) => at);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    expect(times.at(-1)).toBe(Date.now());
  });
});
