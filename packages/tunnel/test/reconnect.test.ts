/** When a tunnel reconnects: the modes, the waits between attempts, and the event that reports them. */
import { turns } from "@postern/testkit";
import { describe, expect, it, vi } from "vitest";
import type { ReconnectAttemptEvent } from "../src/index.ts";
import { advance, onVirtualClock, openTunnel, outcome, tunnelTo, World } from "./world/index.ts";

onVirtualClock();

/** Returns the waits that `reconnectattempt` reported while every dial is refused. */
async function waits(world: World, events: readonly string[], attempts: number): Promise<readonly number[]> {
  const found = (): number[] =>
    events.flatMap((text) => /^attempt \d+ in (\d+)/.exec(text)?.slice(1).map(Number) ?? []);
  world.link.cut();
  await turns();
  while (found().length < attempts) await advance(found().at(-1) ?? 0);
  return found();
}

describe("reconnect.mode", () => {
  it.each([
    ["never", "closed", ["host:22"]],
    ["established", "open", ["host:22", "host:22"]],
    ["always", "open", ["host:22", "host:22"]],
  ] as const)("%s: after 5 s, a tunnel whose connection was lost is %s", async (mode, state, dials) => {
    const world = new World();
    const { tunnel } = await openTunnel(world, { reconnect: { mode } });
    world.link.cut();
    await advance(4_999);
    expect(tunnel.state).toBe(mode === "never" ? "closed" : "waiting");
    await advance(1);
    expect(tunnel.state).toBe(state);
    expect(world.dials).toEqual(dials);
    expect(await outcome(tunnel.closed)).toBe(mode === "never" ? "closed" : "unsettled");
  });

  it.each(["never", "established"] as const)("%s: does not retry a first login that fails", async (mode) => {
    const world = new World();
    world.fates.push("refuse");
    const { tunnel, events } = tunnelTo(world, { reconnect: { mode } });
    expect(await outcome(tunnel.connect())).toBe("connect");
    expect(await outcome(tunnel.closed)).toBe("connect");
    expect(events).toEqual(["connecting", "closed (connect)"]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("always: retries a first login that fails, and connect() resolves when it succeeds", async () => {
    const world = new World();
    world.fates.push("refuse", "refuse");
    const { tunnel, events } = tunnelTo(world, { reconnect: { mode: "always" } });
    const login = tunnel.connect();
    await advance(9_999);
    expect(await outcome(login)).toBe("unsettled");
    await advance(1);
    expect(await outcome(login)).toBe("resolved");
    expect(events).toEqual([
      "connecting",
      "waiting (connect)",
      "attempt 1 in 5000 (connect)",
      "connecting",
      "waiting (connect)",
      "attempt 2 in 5000 (connect)",
      "connecting",
      "authenticating",
      "open",
    ]);
    expect(tunnel.stats().reconnects).toBe(0);
  });

  it("is established by default, every 5 s without limit, plus jitter", async () => {
    const world = new World();
    const { tunnel } = await openTunnel(world, { reconnect: { backoff: { jitter: 0.1 } } });
    world.fate = "refuse";
    const seen: ReconnectAttemptEvent[] = [];
    tunnel.addEventListener("reconnectattempt", (event) => seen.push(event));
    world.link.cut();
    await advance(300_000);
    expect(seen.length).toBeGreaterThan(50);
    const intervals = seen.map(({ intervalMs }) => intervalMs);
    for (const interval of intervals) expect(interval).toSatisfy((ms: number) => ms >= 5_000 && ms <= 5_500);
    expect(new Set(intervals).size).toBeGreaterThan(10);
    expect(seen[0]?.maxRetries).toBe(Number.POSITIVE_INFINITY);
    expect(tunnel.state).not.toBe("closed");
  });
});

describe("reconnect.maxRetries", () => {
  it("counts attempts in a row, and the tunnel gives up with the last failure", async () => {
    const world = new World();
    const { tunnel, events } = await openTunnel(world, { reconnect: { maxRetries: 2 } });
    world.fate = "refuse";
    world.link.cut();
    await advance(10_000);
    expect(events).toEqual([
      "waiting (closed)",
      "attempt 1 in 5000 (closed)",
      "connecting",
      "waiting (connect)",
      "attempt 2 in 5000 (connect)",
      "connecting",
      "closed (connect)",
    ]);
    expect(await outcome(tunnel.closed)).toBe("connect");
    expect(world.dials).toHaveLength(3);
  });

  it("counts anew after the tunnel was open", async () => {
    const world = new World();
    const { tunnel, events } = await openTunnel(world, { reconnect: { maxRetries: 1 } });
    for (let i = 0; i < 3; i++) {
      world.link.cut();
      await advance(5_000);
      expect(tunnel.state).toBe("open");
    }
    expect(events.filter((text) => text.startsWith("attempt"))).toEqual(Array(3).fill("attempt 1 in 5000 (closed)"));
  });

  it("never reconnects with 0", async () => {
    const world = new World();
    const { tunnel, events } = await openTunnel(world, { reconnect: { mode: "always", maxRetries: 0 } });
    world.link.cut();
    expect(await outcome(tunnel.closed)).toBe("closed");
    expect(events).toEqual(["closed (closed)"]);
  });
});

describe("the wait before an attempt", () => {
  it("is intervalMs, also 0", async () => {
    const world = new World();
    const { tunnel, events } = await openTunnel(world, { reconnect: { intervalMs: 0 } });
    world.link.cut();
    await advance(0);
    expect(tunnel.state).toBe("open");
    expect(events[1]).toBe("attempt 1 in 0 (closed)");
  });

  it("grows by backoff.factor up to backoff.maxIntervalMs", async () => {
    const world = new World();
    const backoff = { factor: 2, maxIntervalMs: 6_000 };
    const { events } = await openTunnel(world, { reconnect: { intervalMs: 1_000, backoff } });
    world.fate = "refuse";
    expect(await waits(world, events, 5)).toEqual([1_000, 2_000, 4_000, 6_000, 6_000]);
  });

  it("is never shorter than intervalMs, and 0 stays 0 however often it is doubled", async () => {
    const world = new World();
    const { events } = await openTunnel(world, {
      reconnect: { intervalMs: 3_000, backoff: { factor: 2, maxIntervalMs: 10 } },
    });
    world.fate = "refuse";
    expect(await waits(world, events, 3)).toEqual([3_000, 3_000, 3_000]);

    const other = new World();
    const eager = await openTunnel(other, { reconnect: { intervalMs: 0, maxRetries: 1_100, backoff: { factor: 2 } } });
    const seen = new Set<number>();
    eager.tunnel.addEventListener("reconnectattempt", ({ intervalMs }) => seen.add(intervalMs));
    other.fate = "refuse";
    other.link.cut();
    await advance(2_000);
    expect(await outcome(eager.tunnel.closed)).toBe("connect");
    expect([...seen]).toEqual([0]);
  });

  it("includes up to backoff.jitter of it, by the platform's randomness", async () => {
    const world = new World();
    const { events } = await openTunnel(world, { reconnect: { intervalMs: 1_000, backoff: { jitter: 1 } } });
    world.fate = "refuse";
    const seen = await waits(world, events, 40);
    expect(Math.min(...seen)).toBeGreaterThanOrEqual(1_000);
    expect(Math.max(...seen)).toBeLessThanOrEqual(2_000);
    expect(Math.max(...seen) - Math.min(...seen)).toBeGreaterThan(500);
  });

  it('is at least 15 s if the server answers "Not allowed at this time"', async () => {
    const world = new World();
    const { tunnel, events } = await openTunnel(world);
    world.fates.push("busy");
    world.link.cut();
    await advance(5_000);
    expect(events.slice(-2)).toEqual(["waiting (busy)", "attempt 2 in 15000 (busy)"]);
    await advance(14_999);
    expect(tunnel.state).toBe("waiting");
    await advance(1);
    expect(tunnel.state).toBe("open");
  });

  it("is at least 15 s after the server has twice dropped the connection before its identification", async () => {
    const world = new World();
    const { events } = await openTunnel(world);
    world.fates.push("reset", "reset", "reset", "refuse", "reset");
    // A refused connection is no sign of a penalty, and resets the count.
    expect(await waits(world, events, 6)).toEqual([5_000, 5_000, 15_000, 15_000, 5_000, 5_000]);
  });

  it("does not count drops from before the tunnel was open", async () => {
    const world = new World();
    const { tunnel, events } = await openTunnel(world);
    world.fates.push("reset", "accept", "reset", "refuse");
    world.link.cut();
    await advance(10_000);
    expect(tunnel.state).toBe("open");
    events.length = 0;
    expect(await waits(world, events, 3)).toEqual([5_000, 5_000, 5_000]);
  });

  it("is longer than 15 s if the interval is", async () => {
    const world = new World();
    const { events } = await openTunnel(world, { reconnect: { intervalMs: 60_000 } });
    world.fate = "busy";
    expect(await waits(world, events, 2)).toEqual([60_000, 60_000]);
  });
});

describe("the backoff against a server that drops every client after login", () => {
  const reconnect = { intervalMs: 100, backoff: { factor: 2, maxIntervalMs: 60_000 } };

  it("grows as if the logins had failed", async () => {
    const world = new World();
    const { tunnel, events } = await openTunnel(world, { reconnect });
    tunnel.addEventListener("state", ({ state }) => {
      if (state === "open") setTimeout(() => world.link.cut(), 10);
    });
    world.link.cut();
    await advance(2_500);
    // Every attempt is the first since a lost connection, so maxRetries counts anew.
    expect(events.filter((text) => text.startsWith("attempt"))).toEqual(
      [100, 200, 400, 800, 1_600].map((ms) => `attempt 1 in ${ms} (closed)`),
    );
    await advance(600_000);
    expect(world.dials.length).toBeLessThan(25);
    expect(events.findLast((text) => text.startsWith("attempt"))).toBe("attempt 1 in 60000 (closed)");
  });

  it.each([
    [29_999, 400],
    [30_000, 100],
  ])("after %i ms of being open, is %i ms", async (openMs, waitMs) => {
    const world = new World();
    const { events } = await openTunnel(world, { reconnect });
    world.fates.push("refuse");
    world.link.cut();
    await advance(300);
    expect(events.at(-1)).toBe("open");
    await advance(openMs);
    world.link.cut();
    await turns();
    expect(events.at(-1)).toBe(`attempt 1 in ${waitMs} (closed)`);
  });
});

describe("the event `reconnectattempt`", () => {
  it("reports the attempt, the maximum, the wait and the reason", async () => {
    const world = new World();
    const { tunnel } = await openTunnel(world, { reconnect: { maxRetries: 7, intervalMs: 2_000 } });
    const seen: ReconnectAttemptEvent[] = [];
    tunnel.addEventListener("reconnectattempt", (event) => seen.push(event));
    world.fates.push("refuse");
    world.link.cut();
    await advance(2_000);
    expect(seen).toMatchObject([
      { attempt: 1, maxRetries: 7, intervalMs: 2_000, reason: { name: "SshError", code: "closed" } },
      { attempt: 2, maxRetries: 7, intervalMs: 2_000, reason: { name: "SshError", code: "connect" } },
    ]);
  });

  it("ends the tunnel with the reason after preventDefault()", async () => {
    const world = new World();
    const { tunnel } = await openTunnel(world);
    const forwarding = await tunnel.listen({ port: 7777 });
    tunnel.addEventListener("reconnectattempt", (event) => event.attempt === 2 && event.preventDefault());
    world.fates.push("refuse");
    world.link.cut();
    await advance(5_000);
    await expect(tunnel.closed).rejects.toMatchObject({
      code: "connect",
      message: expect.stringContaining("ECONNREFUSED"),
    });
    expect(await outcome(forwarding.closed)).toBe("connect");
    expect(world.dials).toHaveLength(2);
    await advance(1_000);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("rejects a first login with the reason after preventDefault() (always)", async () => {
    const world = new World();
    world.fate = "refuse";
    const { tunnel } = tunnelTo(world, { reconnect: { mode: "always" } });
    tunnel.addEventListener("reconnectattempt", (event) => event.preventDefault());
    expect(await outcome(tunnel.connect())).toBe("connect");
    expect(tunnel.state).toBe("closed");
  });
});

describe("a lost connection", () => {
  it.each(["mute", "hang", "reset"] as const)(
    "counts as a failed attempt while the tunnel reconnects (%s)",
    async (fate) => {
      const world = new World();
      const { tunnel, events } = await openTunnel(world, { loginTimeoutMs: 10_000 });
      world.fates.push(fate);
      world.link.cut();
      await advance(5_000 + 10_000 + 5_000);
      expect(tunnel.state).toBe("open");
      expect(events.filter((text) => text.startsWith("attempt"))).toHaveLength(2);
      expect(tunnel.stats().reconnects).toBe(1);
    },
  );

  it("counts as a failed attempt during authentication", async () => {
    const world = new World();
    let cut = 1;
    const { tunnel, events } = await openTunnel(world);
    tunnel.addEventListener("state", ({ state }) => {
      if (state === "authenticating" && cut-- > 0) world.cutAll();
    });
    world.link.cut();
    await advance(10_000);
    expect(tunnel.state).toBe("open");
    expect(events.filter((text) => text.startsWith("attempt"))).toEqual([
      "attempt 1 in 5000 (closed)",
      "attempt 2 in 5000 (closed)",
    ]);
  });

  it("reconnects a hundred times, and leaves nothing behind", async () => {
    const world = new World();
    const { tunnel } = await openTunnel(world, { reconnect: { intervalMs: 1 } });
    const forwarding = await tunnel.listen({ port: 7777 });
    const cycles = 100;
    for (let i = 0; i < cycles; i++) {
      world.link.cut();
      await advance(1);
      expect(forwarding.state).toBe("open");
    }
    expect(tunnel.stats().reconnects).toBe(cycles);
    await tunnel.close();
    await advance(1_000);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("reconnectNow", () => {
  it("makes the next attempt at once", async () => {
    const world = new World();
    const { tunnel, events } = await openTunnel(world, { reconnect: { intervalMs: 60_000 } });
    world.link.cut();
    await turns();
    expect(tunnel.state).toBe("waiting");
    tunnel.reconnectNow();
    await turns();
    expect(tunnel.state).toBe("open");
    expect(events).toContain("attempt 1 in 60000 (closed)");
  });

  it("keeps a connection whose server answers", async () => {
    const world = new World();
    const { tunnel } = await openTunnel(world, { keepAlive: { intervalMs: 0 } });
    tunnel.reconnectNow();
    await advance(60_000);
    expect(tunnel.state).toBe("open");
    expect(world.links).toHaveLength(1);
  });

  it("replaces a connection whose server does not answer within 5 s, without another wait", async () => {
    const world = new World();
    const { tunnel, events } = await openTunnel(world, { keepAlive: { intervalMs: 0 } });
    world.link.silence();
    tunnel.reconnectNow();
    await advance(4_999);
    expect(tunnel.state).toBe("open");
    await advance(10);
    expect(tunnel.state).toBe("open");
    expect(world.links).toHaveLength(2);
    expect(events).toContain("attempt 1 in 0 (timeout)");
  });

  it("does nothing before connect() and after the end", async () => {
    const world = new World();
    const { tunnel } = tunnelTo(world);
    tunnel.reconnectNow();
    await tunnel.connect();
    await tunnel.close();
    tunnel.reconnectNow();
    await advance(10_000);
    expect(tunnel.state).toBe("closed");
    expect(world.dials).toHaveLength(1);
  });
});
