/** The end of a tunnel: `closed`, and when its rejection is reported as unhandled. */
import { rejection, turns } from "@postern/testkit";
import { describe, expect, it } from "vitest";
import type { ReverseTunnel, TunnelOptions } from "../src/index.ts";
import { advance, onVirtualClock, outcome, target, tunnelTo, World } from "./world/index.ts";

onVirtualClock();

/** Connects a tunnel whose `closed` no code handles. */
async function connected(options: Partial<TunnelOptions> = {}): Promise<{ world: World; tunnel: ReverseTunnel }> {
  const world = new World();
  const { tunnel } = tunnelTo(world, { reconnect: { mode: "never" }, ...options }, { handlesClosed: false });
  await tunnel.connect();
  await turns();
  return { world, tunnel };
}

/** Returns the reasons of the unhandled rejections while `run` runs. */
async function unhandled(run: () => Promise<void>): Promise<unknown[]> {
  const reasons: unknown[] = [];
  const listeners = process.listeners("unhandledRejection");
  process.removeAllListeners("unhandledRejection");
  process.on("unhandledRejection", (reason) => void reasons.push(reason));
  try {
    await run();
    await turns();
  } finally {
    process.removeAllListeners("unhandledRejection");
    for (const listener of listeners) process.on("unhandledRejection", listener);
  }
  return reasons;
}

describe("a tunnel that gives up", () => {
  it("causes an unhandled rejection with the reason of `closed`", async () => {
    const { world, tunnel } = await connected();
    const reasons = await unhandled(async () => world.link.cut());
    expect(reasons).toEqual([await rejection(tunnel.closed)]);
    expect(reasons).toMatchObject([{ name: "SshError" }]);
  });

  it("causes one after the last reconnection has failed", async () => {
    const { world, tunnel } = await connected({ reconnect: { maxRetries: 2 } });
    world.fate = "refuse";
    const reasons = await unhandled(async () => {
      world.link.cut();
      await advance(20_000);
    });
    expect(reasons).toMatchObject([{ code: "connect" }]);
    expect(tunnel.state).toBe("closed");
  });

  it("causes one if the program prevents the reconnection", async () => {
    const { world, tunnel } = await connected({ reconnect: {} });
    tunnel.addEventListener("reconnectattempt", (event) => event.preventDefault());
    expect(await unhandled(async () => world.link.cut())).toHaveLength(1);
  });

  it("causes one if only its own self check has failed with the same reason", async () => {
    const { world, tunnel } = await connected({ selfCheck: { intervalMs: 1_000 } });
    await tunnel.listen({ port: 7777 });
    world.directAnswer = () => "hang";
    await advance(1_000);
    expect(await unhandled(async () => world.link.cut())).toHaveLength(1);
  });

  it("causes one if a listener's loop has ended before", async () => {
    const { world, tunnel } = await connected();
    const iterator = (await tunnel.listen({ port: 7777 }))[Symbol.asyncIterator]();
    const next = iterator.next();
    await iterator.return?.();
    await next;
    expect(await unhandled(async () => world.link.cut())).toHaveLength(1);
  });

  it("causes none if `closed` is handled", async () => {
    const { world, tunnel } = await connected();
    tunnel.closed.catch(() => {});
    expect(await unhandled(async () => world.link.cut())).toEqual([]);
  });

  it("causes none if a pending call rejects with the same reason", async () => {
    const { world, tunnel } = await connected({ reconnect: { maxRetries: 1 } });
    world.fate = "refuse";
    let call: Promise<unknown> = Promise.resolve();
    const reasons = await unhandled(async () => {
      world.link.cut();
      await turns();
      call = rejection(tunnel.listen({ port: 7777 }));
      await advance(10_000);
    });
    expect(reasons).toEqual([]);
    expect(await call).toBe(await rejection(tunnel.closed));
  });

  it("causes none if a listener's iterator waits", async () => {
    const { world, tunnel } = await connected();
    const next = rejection((await tunnel.listen({ port: 7777 }))[Symbol.asyncIterator]().next());
    expect(await unhandled(async () => world.link.cut())).toEqual([]);
    expect(await next).toBe(await rejection(tunnel.closed));
  });

  it("causes none if the body of a listener's loop is busy, because the loop rejects after it", async () => {
    const { world, tunnel } = await connected();
    const iterator = (await tunnel.listen({ port: 7777 }))[Symbol.asyncIterator]();
    await world.visit(7777);
    await iterator.next();
    expect(await unhandled(async () => world.link.cut())).toEqual([]);
    expect(await rejection(iterator.next())).toBe(await rejection(tunnel.closed));
  });

  it("causes none if forward() rejects because of exitOnForwardFailure", async () => {
    const { world, tunnel } = await connected({ exitOnForwardFailure: true });
    world.portAnswer = () => "denied";
    let error: unknown;
    const reasons = await unhandled(async () => {
      error = await rejection(tunnel.forward({ port: 7777, target }));
    });
    expect(reasons).toEqual([]);
    expect(error).toBe(await rejection(tunnel.closed));
  });
});

describe("a tunnel that ends otherwise", () => {
  it("rejects connect() and `closed` with the same reason if the first login fails, and causes none", async () => {
    const world = new World();
    world.fate = "refuse";
    const { tunnel } = tunnelTo(world, {}, { handlesClosed: false });
    let error: unknown;
    const reasons = await unhandled(async () => {
      error = await rejection(tunnel.connect());
    });
    expect(reasons).toEqual([]);
    expect(error).toBe(await rejection(tunnel.closed));
  });

  it("causes none if connect() is aborted", async () => {
    const world = new World();
    world.fate = "hang";
    const { tunnel } = tunnelTo(world, {}, { handlesClosed: false });
    const controller = new AbortController();
    const reasons = await unhandled(async () => {
      const login = rejection(tunnel.connect({ signal: controller.signal }));
      controller.abort();
      expect(await login).toBe(controller.signal.reason);
    });
    expect(reasons).toEqual([]);
    expect(await rejection(tunnel.closed)).toMatchObject({ code: "aborted", cause: controller.signal.reason });
  });

  it("resolves `closed` after close(), also if the connection is lost during the drain", async () => {
    const { world, tunnel } = await connected();
    world.cancelAnswer = "hold";
    await tunnel.listen({ port: 7777 });
    const reasons = await unhandled(async () => {
      const closing = tunnel.close({ drainMs: 30_000 });
      await turns();
      world.link.cut();
      await closing;
    });
    expect(reasons).toEqual([]);
    expect(await outcome(tunnel.closed)).toBe("resolved");
  });

  it("resolves `closed` after close() while it reconnects", async () => {
    const { world, tunnel } = await connected({ reconnect: {} });
    world.fate = "refuse";
    const reasons = await unhandled(async () => {
      world.link.cut();
      await advance(6_000);
      await tunnel.close();
    });
    expect(reasons).toEqual([]);
    expect(await outcome(tunnel.closed)).toBe("resolved");
  });
});

describe("disposal", () => {
  it("does not throw after the tunnel has given up", async () => {
    const { world, tunnel } = await connected();
    const forwarding = await tunnel.listen({ port: 7777 });
    tunnel.closed.catch(() => {});
    world.link.cut();
    await turns();
    expect(await outcome(forwarding[Symbol.asyncDispose]())).toBe("resolved");
    expect(await outcome(tunnel[Symbol.asyncDispose]())).toBe("resolved");
    expect(await outcome(tunnel.closed)).not.toBe("resolved");
  });

  it("does not throw if the server refuses to free the port, as close() does", async () => {
    const { world, tunnel } = await connected();
    const forwarding = await tunnel.listen({ port: 7777 });
    world.cancelAnswer = "refuse";
    expect(await outcome(forwarding.close())).toBe("refused");
    expect(await outcome(forwarding[Symbol.asyncDispose]())).toBe("resolved");
    expect(forwarding.state).toBe("open");
  });
});

describe("typed events", () => {
  it("refuse a misspelt name and a listener of another event at compile time", async () => {
    const { tunnel } = await connected();
    // @ts-expect-error: the event is called `state`
    tunnel.addEventListener("stat", () => {});
    // @ts-expect-error: `state` fires a StateEvent
    tunnel.addEventListener("state", (event: { readonly fingerprint: string }) => event);
    const states: string[] = [];
    tunnel.addEventListener("state", { handleEvent: ({ state }) => void states.push(state) }, { once: true });
    await tunnel.close();
    expect(states).toEqual(["closed"]);
  });
});
