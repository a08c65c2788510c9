/** drain(): the ports are freed, connections finish, and then the tunnel is logged off. */
import { describe, expect, it, vi } from "vitest";
import {
  advance,
  echo,
  HostWorld,
  heard,
  onVirtualClock,
  openTunnel,
  outcome,
  settle,
  target,
  tunnelTo,
} from "./host-world.ts";

onVirtualClock();

const text = (words: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(words);

async function withTarget(): Promise<{ world: HostWorld } & Awaited<ReturnType<typeof openTunnel>>> {
  const world = new HostWorld();
  world.targets.set("target:80", echo);
  const made = await openTunnel(world);
  await made.tunnel.forward({ port: 7777, target });
  return { world, ...made };
}

describe("drain", () => {
  it("frees the ports, lets connections finish, and logs off", async () => {
    const { world, tunnel, told } = await withTarget();
    const visitor = await world.visit(7777);
    const answer = heard(visitor);
    await settle();
    const { link } = world;
    const drained = tunnel.close({ drainMs: 30_000 });
    await settle();
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
    expect(told.at(-1)).toBe("closed");
    expect(vi.getTimerCount()).toBe(0);
  });

  it("is done at once when nobody is there", async () => {
    const { tunnel } = await withTarget();
    expect(await outcome(tunnel.close({ drainMs: 30_000 }))).toBe("resolved");
    expect(tunnel.state).toBe("closed");
    expect(vi.getTimerCount()).toBe(0);
  });

  it.each([
    ["30 s", { drainMs: 30_000 }, 30_000],
    ["5 s", { drainMs: 5_000 }, 5_000],
  ])("cuts off whoever is still there after %s", async (_, options, deadline) => {
    const { world, tunnel } = await withTarget();
    const answer = heard(await world.visit(7777));
    const drained = tunnel.close(options);
    await advance(deadline - 1);
    expect(answer.closed).toBe(false);
    expect(await outcome(drained)).toBe("unsettled");
    await advance(1);
    expect(answer.closed).toBe(true);
    expect(answer.error).toBeDefined();
    expect(await outcome(drained)).toBe("resolved");
  });

  it("waits without end with drainMs Infinity", async () => {
    const { world, tunnel } = await withTarget();
    const visitor = await world.visit(7777);
    const answer = heard(visitor);
    const drained = tunnel.close({ drainMs: Number.POSITIVE_INFINITY });
    await advance(600_000);
    expect(answer.closed).toBe(false);
    visitor.end();
    await advance(1_000);
    expect(await outcome(drained)).toBe("resolved");
  });

  it.each([{ deadlinMs: 1 }, { drainMs: -1 }, { drainMs: Number.NaN }])("refuses the options %j", async (options) => {
    const { tunnel } = await withTarget();
    expect(await outcome(tunnel.close(options as object))).toBe("misuse");
    expect(tunnel.state).toBe("open");
  });

  it("lets in nobody new: the host refuses whom the port is not for any more", async () => {
    const { world, tunnel } = await withTarget();
    const visitor = await world.visit(7777);
    const drained = tunnel.close({ drainMs: 30_000 });
    await settle();
    expect(await outcome(world.visit(7777))).toBe("refused");
    visitor.close();
    await advance(1_000);
    expect(await outcome(drained)).toBe("resolved");
  });

  it("waits for a visitor whose target is being dialled, and for the connection that follows", async () => {
    const world = new HostWorld();
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
    const coming = world.visit(7777);
    await settle();
    const drained = tunnel.close({ drainMs: 30_000 });
    await advance(10_000);
    connect();
    const visitor = await coming;
    const answer = heard(visitor);
    visitor.write(text("late, but served"));
    await settle();
    expect(answer.text).toBe("late, but served");
    expect(await outcome(drained)).toBe("unsettled");
    visitor.end();
    await advance(1_000);
    expect(await outcome(drained)).toBe("resolved");
  });

  it("ends a tunnel that waits to connect again", async () => {
    const { world, tunnel } = await withTarget();
    world.link.cut();
    await advance(1_000);
    expect(await outcome(tunnel.close({ drainMs: 30_000 }))).toBe("resolved");
    expect(await outcome(tunnel.closed)).toBe("resolved");
    await advance(10_000);
    expect(world.dials.filter((to) => to === "host:22")).toHaveLength(1);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("is done when the connection is lost meanwhile: it is not made again", async () => {
    const { world, tunnel } = await withTarget();
    heard(await world.visit(7777));
    const drained = tunnel.close({ drainMs: 30_000 });
    await settle();
    world.link.cut();
    expect(await outcome(drained)).toBe("resolved");
    expect(await outcome(tunnel.closed)).toBe("resolved");
    await advance(10_000);
    expect(world.links).toHaveLength(1);
  });

  it("goes on when the host does not free a port, and ends at the deadline", async () => {
    const { world, tunnel } = await withTarget();
    world.cancelAnswer = "hold";
    heard(await world.visit(7777));
    const drained = tunnel.close({ drainMs: 5_000 });
    await advance(4_999);
    expect(await outcome(drained)).toBe("unsettled");
    await advance(1);
    expect(await outcome(drained)).toBe("resolved");
  });

  it("does nothing to a tunnel that is closed", async () => {
    const { tunnel } = tunnelTo(new HostWorld());
    expect(await outcome(tunnel.close({ drainMs: 30_000 }))).toBe("resolved");
    expect(vi.getTimerCount()).toBe(0);
  });
});
