/** Waiting for a port: `wait` across lost connections, `keepPort` after them. */
import { turns } from "@postern/testkit";
import { describe, expect, it, vi } from "vitest";
import type { ForwardingEvent } from "../src/index.ts";
import { advance, onVirtualClock, openTunnel, outcome, tunnelTo, World } from "./world/index.ts";

onVirtualClock();

describe("wait: true", () => {
  it.each(["busy", "hold"] as const)(
    "continues on the next connection if this one is lost (the port was on %s)",
    async (answer) => {
      const world = new World();
      world.portAnswer = () => answer;
      const { tunnel } = await openTunnel(world);
      const waiting = tunnel.listen({ port: 7777, wait: true });
      await advance(1_000);
      world.link.cut();
      expect(await outcome(waiting)).toBe("unsettled");
      world.portAnswer = () => "listen";
      await advance(8_000);
      expect(await outcome(waiting)).toBe("resolved");
      const forwarding = await waiting;
      expect(forwarding.state).toBe("open");
      expect(tunnel.forwardings).toEqual([forwarding]);
      expect(world.requests).toEqual(["forward localhost:7777", "forward localhost:7777"]);
      // From now on it is an ordinary forwarding.
      world.link.cut();
      await advance(5_000);
      expect(forwarding.state).toBe("open");
      expect([...world.link.ports]).toEqual(["localhost:7777"]);
    },
  );

  it("continues when the connection is lost together with the answer", async () => {
    const world = new World();
    world.portAnswer = () => {
      // Right after the answer, in the same turn of the event loop.
      queueMicrotask(() => queueMicrotask(() => world.link.cut()));
      return "listen";
    };
    const { tunnel } = await openTunnel(world);
    const waiting = tunnel.listen({ port: 7777, wait: true });
    await turns();
    world.portAnswer = () => "listen";
    await advance(6_000);
    const forwarding = await waiting;
    expect(forwarding.state).toBe("open");
    expect(world.links).toHaveLength(2);
    expect([...world.link.ports]).toEqual(["localhost:7777"]);
    expect(tunnel.forwardings).toEqual([forwarding]);
  });

  it("continues over several lost connections, and over attempts that fail", async () => {
    const world = new World();
    world.portAnswer = () => "busy";
    const { tunnel } = await openTunnel(world);
    const waiting = tunnel.listen({ port: 7777, wait: true });
    for (let lost = 0; lost < 3; lost++) {
      world.fates.push("refuse", "reset");
      world.link.cut();
      await advance(60_000);
      expect(tunnel.state).toBe("open");
      expect(await outcome(waiting)).toBe("unsettled");
    }
    world.portAnswer = () => "listen";
    await advance(2_000);
    expect(await outcome(waiting)).toBe("resolved");
  });

  it("ends with its signal, and with the tunnel, while the connection is down", async () => {
    const world = new World();
    world.portAnswer = () => "busy";
    const { tunnel } = await openTunnel(world);
    const abort = new AbortController();
    const one = tunnel.listen({ port: 7777, wait: true, signal: abort.signal });
    const two = tunnel.listen({ port: 7778, wait: true });
    await advance(1_000);
    world.link.cut();
    await advance(2_500);
    expect([await outcome(one), await outcome(two)]).toEqual(["unsettled", "unsettled"]);
    abort.abort();
    expect([await outcome(one), await outcome(two)]).toEqual(["AbortError", "unsettled"]);
    await tunnel.close();
    expect(await outcome(two)).not.toBe("unsettled");
    await expect(two).rejects.toMatchObject({ name: "SshError" });
    expect(vi.getTimerCount()).toBe(0);
  });

  it("rejects with the tunnel's error if the tunnel gives up", async () => {
    const world = new World();
    world.portAnswer = () => "busy";
    const { tunnel } = tunnelTo(world, { reconnect: { mode: "never" } });
    await tunnel.connect();
    const waiting = tunnel.listen({ port: 7777, wait: true });
    for (const promise of [waiting, tunnel.closed]) promise.catch(() => {});
    await advance(1_000);
    world.link.cut();
    await turns();
    expect([await outcome(waiting), await outcome(tunnel.closed)]).toEqual(["closed", "closed"]);
    expect(tunnel.state).toBe("closed");
  });

  it("rejects when the server's policy denies the port on the next connection", async () => {
    const world = new World();
    world.portAnswer = () => "busy";
    const { tunnel } = await openTunnel(world);
    const waiting = tunnel.listen({ port: 7777, wait: true });
    waiting.catch(() => {});
    await advance(1_000);
    world.portAnswer = () => "denied";
    world.link.cut();
    await advance(5_000);
    expect(await outcome(waiting)).toBe("denied");
    expect(tunnel.forwardings).toEqual([]);
  });
});

describe("the event `forwarding` with state open", () => {
  it("fires when tunnel.forwardings contains it; a connection lost meanwhile leaves it pending", async () => {
    const world = new World();
    const { tunnel, events } = await openTunnel(world);
    const seen: unknown[] = [];
    const opened = ({ forwarding, state }: ForwardingEvent): void => {
      if (state === "open") seen.push(tunnel.forwardings.includes(forwarding));
      if (seen.length === 1) world.link.cut();
    };
    tunnel.addEventListener("forwarding", opened);
    const forwarding = await tunnel.listen({ port: 7777 });
    await advance(6_000);
    expect(forwarding.state).toBe("open");
    expect(seen).toEqual([true, true]);
    expect(events.filter((text) => text.startsWith("localhost"))).toEqual([
      "localhost:7777 open",
      "localhost:7777 pending (closed)",
      "localhost:7777 open",
    ]);
  });
});

describe("keepPort: true", () => {
  it("waits for the port that the server chose before, however long it is taken", async () => {
    const world = new World();
    const { tunnel } = await openTunnel(world);
    const forwarding = await tunnel.listen({ port: 0, keepPort: true });
    expect(forwarding.port).toBe(40_000);
    world.portAnswer = (_, port) => (port === 40_000 ? "busy" : "listen");
    world.link.cut();
    await advance(5_000);
    expect(forwarding).toMatchObject({ state: "pending", port: 40_000, reason: { code: "refused" } });
    await advance(60_000);
    expect(forwarding.state).toBe("pending");
    world.portAnswer = () => "listen";
    await advance(2_000);
    expect(forwarding).toMatchObject({ state: "open", port: 40_000 });
    expect(world.requests.slice(1).every((text) => text === "forward localhost:40000")).toBe(true);
  });

  it("ends the forwarding if the server's policy denies that port", async () => {
    const world = new World();
    const { tunnel } = await openTunnel(world);
    const forwarding = await tunnel.listen({ port: 0, keepPort: true });
    world.portAnswer = () => "denied";
    world.link.cut();
    await advance(5_000);
    expect(forwarding).toMatchObject({ state: "closed", reason: { code: "denied" } });
  });
});
