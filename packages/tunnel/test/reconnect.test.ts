/** When a tunnel comes back, and when it does not: the modes, the waits between attempts, and the event that tells of them. */
import { describe, expect, it, vi } from "vitest";
import type { ReconnectAttemptEvent } from "../src/index.ts";
import { advance, HostWorld, onVirtualClock, openTunnel, outcome, settle, tunnelTo } from "./host-world.ts";

onVirtualClock();

/** The waits that are told, while nobody listens any more. */
async function waits(world: HostWorld, told: readonly string[], attempts: number): Promise<readonly number[]> {
  const found = (): number[] => told.flatMap((text) => /^attempt \d+ in (\d+)/.exec(text)?.slice(1).map(Number) ?? []);
  world.link.cut();
  await settle();
  while (found().length < attempts) await advance(found().at(-1) ?? 0);
  return found();
}

describe("reconnect.mode", () => {
  it.each([
    ["never", "closed", ["host:22"]],
    ["established", "open", ["host:22", "host:22"]],
    ["always", "open", ["host:22", "host:22"]],
  ] as const)("%s: a connection that was open and broke is %s after 5 s", async (mode, state, dials) => {
    const world = new HostWorld();
    const { tunnel } = await openTunnel(world, { reconnect: { mode } });
    world.link.cut();
    await advance(4_999);
    expect(tunnel.state).toBe(mode === "never" ? "closed" : "waiting");
    await advance(1);
    expect(tunnel.state).toBe(state);
    expect(world.dials).toEqual(dials);
    expect(await outcome(tunnel.closed)).toBe(mode === "never" ? "closed" : "unsettled");
  });

  it.each(["never", "established"] as const)("%s: a first login that fails is not tried again", async (mode) => {
    const world = new HostWorld();
    world.fates.push("refuse");
    const { tunnel, told } = tunnelTo(world, { reconnect: { mode } });
    expect(await outcome(tunnel.connect())).toBe("connect");
    expect(await outcome(tunnel.closed)).toBe("connect");
    expect(told).toEqual(["connecting", "closed (connect)"]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("always: a first login that fails is tried again, and the call resolves when it succeeds", async () => {
    const world = new HostWorld();
    world.fates.push("refuse", "refuse");
    const { tunnel, told } = tunnelTo(world, { reconnect: { mode: "always" } });
    const login = tunnel.connect();
    await advance(9_999);
    expect(await outcome(login)).toBe("unsettled");
    await advance(1);
    expect(await outcome(login)).toBe("resolved");
    expect(told).toEqual([
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

  it("is established by default, every 5 s without end, with a little more at random", async () => {
    const world = new HostWorld();
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
  it("counts attempts in a row, and the tunnel is given up with the last failure", async () => {
    const world = new HostWorld();
    const { tunnel, told } = await openTunnel(world, { reconnect: { maxRetries: 2 } });
    world.fate = "refuse";
    world.link.cut();
    await advance(10_000);
    expect(told).toEqual([
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

  it("begins to count anew when the tunnel was open again", async () => {
    const world = new HostWorld();
    const { tunnel, told } = await openTunnel(world, { reconnect: { maxRetries: 1 } });
    for (let i = 0; i < 3; i++) {
      world.link.cut();
      await advance(5_000);
      expect(tunnel.state).toBe("open");
    }
    expect(told.filter((text) => text.startsWith("attempt"))).toEqual(Array(3).fill("attempt 1 in 5000 (closed)"));
  });

  it("0 is never", async () => {
    const world = new HostWorld();
    const { tunnel, told } = await openTunnel(world, { reconnect: { mode: "always", maxRetries: 0 } });
    world.link.cut();
    expect(await outcome(tunnel.closed)).toBe("closed");
    expect(told).toEqual(["closed (closed)"]);
  });
});

describe("the wait before an attempt", () => {
  it("is intervalMs, also 0", async () => {
    const world = new HostWorld();
    const { tunnel, told } = await openTunnel(world, { reconnect: { intervalMs: 0 } });
    world.link.cut();
    await advance(0);
    expect(tunnel.state).toBe("open");
    expect(told[1]).toBe("attempt 1 in 0 (closed)");
  });

  it("grows by backoff.factor up to backoff.maxIntervalMs", async () => {
    const world = new HostWorld();
    const backoff = { factor: 2, maxIntervalMs: 6_000 };
    const { told } = await openTunnel(world, { reconnect: { intervalMs: 1_000, backoff } });
    world.fate = "refuse";
    expect(await waits(world, told, 5)).toEqual([1_000, 2_000, 4_000, 6_000, 6_000]);
  });

  it("is never shorter than intervalMs, and 0 stays 0 however often it is doubled", async () => {
    const world = new HostWorld();
    const { told } = await openTunnel(world, {
      reconnect: { intervalMs: 3_000, backoff: { factor: 2, maxIntervalMs: 10 } },
    });
    world.fate = "refuse";
    expect(await waits(world, told, 3)).toEqual([3_000, 3_000, 3_000]);

    const other = new HostWorld();
    const eager = await openTunnel(other, { reconnect: { intervalMs: 0, maxRetries: 1_100, backoff: { factor: 2 } } });
    const seen = new Set<number>();
    eager.tunnel.addEventListener("reconnectattempt", ({ intervalMs }) => seen.add(intervalMs));
    other.fate = "refuse";
    other.link.cut();
    await advance(2_000);
    expect(await outcome(eager.tunnel.closed)).toBe("connect");
    expect([...seen]).toEqual([0]);
  });

  it("has up to backoff.jitter of it added, by the platform's randomness", async () => {
    const world = new HostWorld();
    const { told } = await openTunnel(world, { reconnect: { intervalMs: 1_000, backoff: { jitter: 1 } } });
    world.fate = "refuse";
    const seen = await waits(world, told, 40);
    expect(Math.min(...seen)).toBeGreaterThanOrEqual(1_000);
    expect(Math.max(...seen)).toBeLessThanOrEqual(2_000);
    expect(Math.max(...seen) - Math.min(...seen)).toBeGreaterThan(500);
  });

  it("is 15 s at least when the host says that it is not allowed at this time", async () => {
    const world = new HostWorld();
    const { tunnel, told } = await openTunnel(world);
    world.fates.push("busy");
    world.link.cut();
    await advance(5_000);
    expect(told.slice(-2)).toEqual(["waiting (busy)", "attempt 2 in 15000 (busy)"]);
    await advance(14_999);
    expect(tunnel.state).toBe("waiting");
    await advance(1);
    expect(tunnel.state).toBe("open");
  });

  it("is 15 s at least from the second time on that the host drops us before it says who it is", async () => {
    const world = new HostWorld();
    const { told } = await openTunnel(world);
    world.fates.push("reset", "reset", "reset", "refuse", "reset");
    // Nobody listening is no sign of a penalty, and begins the count anew.
    expect(await waits(world, told, 6)).toEqual([5_000, 5_000, 15_000, 15_000, 5_000, 5_000]);
  });

  it("does not remember, once the tunnel was open again, that the host dropped us before", async () => {
    const world = new HostWorld();
    const { tunnel, told } = await openTunnel(world);
    world.fates.push("reset", "accept", "reset", "refuse");
    world.link.cut();
    await advance(10_000);
    expect(tunnel.state).toBe("open");
    told.length = 0;
    expect(await waits(world, told, 3)).toEqual([5_000, 5_000, 5_000]);
  });

  it("is longer than 15 s when the interval is", async () => {
    const world = new HostWorld();
    const { told } = await openTunnel(world, { reconnect: { intervalMs: 60_000 } });
    world.fate = "busy";
    expect(await waits(world, told, 2)).toEqual([60_000, 60_000]);
  });
});

describe("the backoff against a server that takes every login and drops us", () => {
  const reconnect = { intervalMs: 100, backoff: { factor: 2, maxIntervalMs: 60_000 } };

  it("grows as if the logins had failed", async () => {
    const world = new HostWorld();
    const { tunnel, told } = await openTunnel(world, { reconnect });
    tunnel.addEventListener("state", ({ state }) => {
      if (state === "open") setTimeout(() => world.link.cut(), 10);
    });
    world.link.cut();
    await advance(2_500);
    // Every attempt is the first since a loss, and maxRetries counts anew.
    expect(told.filter((text) => text.startsWith("attempt"))).toEqual(
      [100, 200, 400, 800, 1_600].map((ms) => `attempt 1 in ${ms} (closed)`),
    );
    await advance(600_000);
    expect(world.dials.length).toBeLessThan(25);
    expect(told.findLast((text) => text.startsWith("attempt"))).toBe("attempt 1 in 60000 (closed)");
  });

  it.each([
    [29_999, 400],
    [30_000, 100],
  ])("after %i ms of being open waits %i ms", async (openMs, waitMs) => {
    const world = new HostWorld();
    const { told } = await openTunnel(world, { reconnect });
    world.fates.push("refuse");
    world.link.cut();
    await advance(300);
    expect(told.at(-1)).toBe("open");
    await advance(openMs);
    world.link.cut();
    await settle();
    expect(told.at(-1)).toBe(`attempt 1 in ${waitMs} (closed)`);
  });
});

describe("the event `reconnectattempt`", () => {
  it("tells which attempt, of how many, when, and why", async () => {
    const world = new HostWorld();
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

  it("stops the retries with preventDefault(): the tunnel is closed with the reason", async () => {
    const world = new HostWorld();
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

  it("stops a first login with preventDefault(), which rejects with the reason (always)", async () => {
    const world = new HostWorld();
    world.fate = "refuse";
    const { tunnel } = tunnelTo(world, { reconnect: { mode: "always" } });
    tunnel.addEventListener("reconnectattempt", (event) => event.preventDefault());
    expect(await outcome(tunnel.connect())).toBe("connect");
    expect(tunnel.state).toBe("closed");
  });
});

describe("a connection that is lost", () => {
  it.each(["mute", "hang", "reset"] as const)("while it is made again (%s) is another failed attempt", async (fate) => {
    const world = new HostWorld();
    const { tunnel, told } = await openTunnel(world, { loginTimeoutMs: 10_000 });
    world.fates.push(fate);
    world.link.cut();
    await advance(5_000 + 10_000 + 5_000);
    expect(tunnel.state).toBe("open");
    expect(told.filter((text) => text.startsWith("attempt"))).toHaveLength(2);
    expect(tunnel.stats().reconnects).toBe(1);
  });

  it("during authentication is another failed attempt", async () => {
    const world = new HostWorld();
    let cut = 1;
    const { tunnel, told } = await openTunnel(world);
    tunnel.addEventListener("state", ({ state }) => {
      if (state === "authenticating" && cut-- > 0) world.cutAll();
    });
    world.link.cut();
    await advance(10_000);
    expect(tunnel.state).toBe("open");
    expect(told.filter((text) => text.startsWith("attempt"))).toEqual([
      "attempt 1 in 5000 (closed)",
      "attempt 2 in 5000 (closed)",
    ]);
  });

  it("comes back a hundred times, and nothing is left behind", async () => {
    const world = new HostWorld();
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
