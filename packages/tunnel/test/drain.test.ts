/** close({ drainMs }): frees the ports, lets connections finish, and then closes the tunnel. */
import { echo, received, turns } from "@postern/testkit";
import { describe, expect, it, vi } from "vitest";
import { advance, onVirtualClock, openTunnel, outcome, target, tunnelTo, World } from "./world/index.ts";

onVirtualClock();

const text = (words: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(words);

async function withTarget(): Promise<{ world: World } & Awaited<ReturnType<typeof openTunnel>>> {
  const world = new World();
  world.targets.set("target:80", echo);
  const made = await openTunnel(world);
  await made.tunnel.forward({ port: 7777, target });
  return { world, ...made };
}

describe("close({ drainMs })", () => {
  it("frees the ports, lets connections finish, and closes the tunnel", async () => {
    const { world, tunnel, events } = await withTarget();
    const visitor = await world.visit(7777);
    const answer = received(visitor);
    await turns();
    const { link } = world;
    const drained = tunnel.close({ drainMs: 30_000 });
    await turns();
    expect(world.requests.at(-1)).toBe("cancel localhost:7777");
    expect([...link.ports]).toEqual([]);
    expect(tunnel.state).toBe("open");
    visitor.write(text("still here"));
    await advance(20_000);
    expect(answer.text).toBe("still here");
    expect(await outcome(drained)).toBe("unsettled");
    visitor.end();
    await advance(1_000);
    expect(answer).toMatchObject({ text: "still here", closed: true, error: undefined });
    expect(await outcome(drained)).toBe("resolved");
    expect(await outcome(tunnel.closed)).toBe("resolved");
    expect(events.at(-1)).toBe("closed");
    expect(vi.getTimerCount()).toBe(0);
  });

  it("lets the connections of a forwarding finish that was closed before", async () => {
    const { world, tunnel } = await withTarget();
    const answer = received(await world.visit(7777));
    const [forwarding] = tunnel.forwardings;
    await forwarding?.close();
    const drained = tunnel.close({ drainMs: 30_000 });
    await advance(29_999);
    expect(answer.closed).toBe(false);
    expect(await outcome(drained)).toBe("unsettled");
    await advance(1);
    expect(await outcome(drained)).toBe("resolved");
    expect(answer.closed).toBe(true);
  });

  it("resolves at once if no visitor is connected", async () => {
    const { tunnel } = await withTarget();
    expect(await outcome(tunnel.close({ drainMs: 30_000 }))).toBe("resolved");
    expect(tunnel.state).toBe("closed");
    expect(vi.getTimerCount()).toBe(0);
  });

  it.each([
    ["30 s", { drainMs: 30_000 }, 30_000],
    ["5 s", { drainMs: 5_000 }, 5_000],
  ])("drops connections that are still open after %s", async (_, options, deadline) => {
    const { world, tunnel } = await withTarget();
    const answer = received(await world.visit(7777));
    const drained = tunnel.close(options);
    await advance(deadline - 1);
    expect(answer.closed).toBe(false);
    expect(await outcome(drained)).toBe("unsettled");
    await advance(1);
    expect(answer.closed).toBe(true);
    expect(answer.error).toBeDefined();
    expect(await outcome(drained)).toBe("resolved");
  });

  it("ends the drain, and resolves, when its signal aborts", async () => {
    const { world, tunnel } = await withTarget();
    const answer = received(await world.visit(7777));
    const controller = new AbortController();
    const drained = tunnel.close({ drainMs: 30_000, signal: controller.signal });
    await advance(1_000);
    expect(await outcome(drained)).toBe("unsettled");
    controller.abort();
    expect(await outcome(drained)).toBe("resolved");
    expect(answer.closed).toBe(true);
    expect(await outcome(tunnel.closed)).toBe("resolved");
  });

  it("waits without limit with drainMs Infinity", async () => {
    const { world, tunnel } = await withTarget();
    const visitor = await world.visit(7777);
    const answer = received(visitor);
    const drained = tunnel.close({ drainMs: Number.POSITIVE_INFINITY });
    await advance(600_000);
    expect(answer.closed).toBe(false);
    visitor.end();
    await advance(1_000);
    expect(await outcome(drained)).toBe("resolved");
  });

  it.each([{ deadlinMs: 1 }, { drainMs: -1 }, { drainMs: Number.NaN }])("rejects the options %j", async (options) => {
    const { tunnel } = await withTarget();
    expect(await outcome(tunnel.close(options as object))).toBe("misuse");
    expect(tunnel.state).toBe("open");
  });

  it("accepts no new visitors: the server refuses them", async () => {
    const { world, tunnel } = await withTarget();
    const visitor = await world.visit(7777);
    const drained = tunnel.close({ drainMs: 30_000 });
    await turns();
    expect(await outcome(world.visit(7777))).toBe("refused");
    visitor.close();
    await advance(1_000);
    expect(await outcome(drained)).toBe("resolved");
  });

  it("waits for a visitor whose target is being dialled, and for the connection that follows", async () => {
    const world = new World();
    let connect: () => void = () => {};
    const dialled = new Promise<void>((resolve) => {
      connect = resolve;
    });
    const { dial } = world;
    world.dial = (to, timeoutMs, connected, failed) => {
      if (to.host !== "target") return dial(to, timeoutMs, connected, failed);
      void dialled.then(() => dial(to, timeoutMs, connected, failed));
      return { abort() {} };
    };
    world.targets.set("target:80", echo);
    const { tunnel } = await openTunnel(world);
    await tunnel.forward({ port: 7777, target });
    const visit = world.visit(7777);
    await turns();
    const drained = tunnel.close({ drainMs: 30_000 });
    await advance(10_000);
    connect();
    const visitor = await visit;
    const answer = received(visitor);
    visitor.write(text("late, but served"));
    await turns();
    expect(answer.text).toBe("late, but served");
    expect(await outcome(drained)).toBe("unsettled");
    visitor.end();
    await advance(1_000);
    expect(await outcome(drained)).toBe("resolved");
  });

  it("ends a tunnel that waits to reconnect", async () => {
    const { world, tunnel } = await withTarget();
    world.link.cut();
    await advance(1_000);
    expect(await outcome(tunnel.close({ drainMs: 30_000 }))).toBe("resolved");
    expect(await outcome(tunnel.closed)).toBe("resolved");
    await advance(10_000);
    expect(world.dials.filter((to) => to === "host:22")).toHaveLength(1);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("ends the tunnel if the connection is lost meanwhile, without reconnecting", async () => {
    const { world, tunnel } = await withTarget();
    received(await world.visit(7777));
    const drained = tunnel.close({ drainMs: 30_000 });
    await turns();
    world.link.cut();
    expect(await outcome(drained)).toBe("resolved");
    expect(await outcome(tunnel.closed)).toBe("resolved");
    await advance(10_000);
    expect(world.links).toHaveLength(1);
  });

  it("continues if the server does not free a port, and ends at the deadline", async () => {
    const { world, tunnel } = await withTarget();
    world.cancelAnswer = "hold";
    received(await world.visit(7777));
    const drained = tunnel.close({ drainMs: 5_000 });
    await advance(4_999);
    expect(await outcome(drained)).toBe("unsettled");
    await advance(1);
    expect(await outcome(drained)).toBe("resolved");
  });

  it("does nothing to a tunnel that is closed", async () => {
    const { tunnel } = tunnelTo(new World());
    expect(await outcome(tunnel.close({ drainMs: 30_000 }))).toBe("resolved");
    expect(vi.getTimerCount()).toBe(0);
  });
});
