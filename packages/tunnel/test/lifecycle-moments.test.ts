/**
 * connect(), close() and abort in every state of a tunnel: the events they fire, and that they leave nothing behind.
 */
import { password } from "@postern/auth";
import { rejection, turns } from "@postern/testkit";
import { describe, expect, it, vi } from "vitest";
import type { TunnelState } from "../src/index.ts";
import { advance, onVirtualClock, openTunnel, outcome, target, tunnelTo, World } from "./world/index.ts";

onVirtualClock();

describe("the states of a tunnel", () => {
  it("are new, connecting, authenticating, open and closed", async () => {
    const { tunnel, events } = tunnelTo(new World());
    expect(tunnel.state).toBe("new");
    await tunnel.connect();
    expect(tunnel.state).toBe("open");
    await tunnel.close();
    expect(tunnel.state).toBe("closed");
    expect(events).toEqual(["connecting", "authenticating", "open", "closed"]);
  });

  it("are never open while the connection is down: `waiting` comes before any other event", async () => {
    const world = new World();
    const { tunnel, events } = await openTunnel(world);
    await tunnel.listen({ port: 7777 });
    const seen: TunnelState[] = [];
    for (const type of ["state", "forwarding", "reconnectattempt"] as const) {
      tunnel.addEventListener(type, () => seen.push(tunnel.state));
    }
    events.length = 0;
    world.link.cut();
    await turns();
    expect(events).toEqual(["waiting (closed)", "localhost:7777 pending (closed)", "attempt 1 in 5000 (closed)"]);
    expect(seen).toEqual(["waiting", "waiting", "waiting"]);
  });

  it("change from open to closed if there is no reconnection", async () => {
    const world = new World();
    const { tunnel, events } = await openTunnel(world, { reconnect: { mode: "never" } });
    const forwarding = await tunnel.listen({ port: 7777 });
    events.length = 0;
    world.link.cut();
    expect(await outcome(tunnel.closed)).toBe("closed");
    expect(await outcome(forwarding.closed)).toBe("closed");
    expect(events).toEqual(["localhost:7777 closed (closed)", "closed (closed)"]);
  });

  it("are reported to a listener until it is removed", async () => {
    const { tunnel } = tunnelTo(new World());
    const seen: TunnelState[] = [];
    const handler = ({ state }: { readonly state: TunnelState }): void => void seen.push(state);
    tunnel.addEventListener("state", handler);
    await tunnel.connect();
    tunnel.removeEventListener("state", handler);
    await tunnel.close();
    expect(seen).toEqual(["connecting", "authenticating", "open"]);
  });
});

describe("`closed`", () => {
  it("resolves after close(), and not before", async () => {
    const { tunnel } = await openTunnel(new World());
    const { closed } = tunnel;
    expect(await outcome(closed)).toBe("unsettled");
    await tunnel.close();
    expect(await outcome(closed)).toBe("resolved");
  });

  it("is one promise for the life of a tunnel, before connect() and after the end", async () => {
    const world = new World();
    const { tunnel } = tunnelTo(world, { reconnect: { maxRetries: 1 } });
    const seen = [tunnel.closed];
    tunnel.addEventListener("state", () => void seen.push(tunnel.closed));
    await tunnel.connect();
    world.fate = "refuse";
    world.link.cut();
    await advance(5_000);
    expect(seen.length).toBeGreaterThan(4);
    expect(new Set([...seen, tunnel.closed]).size).toBe(1);
    expect(await outcome(tunnel.closed)).toBe("connect");
  });

  it.each([
    ["after close()", "resolved"],
    ["a loss", "closed"],
    ["a failed first login", "auth"],
  ])("has settled when the last `state` event fires: %s", async (how, expected) => {
    const world = new World();
    const auth = [password(how === "a failed first login" ? "wrong" : "secret")];
    const { tunnel } = tunnelTo(world, { auth, reconnect: { mode: "never" } });
    const settled: string[] = [];
    const note = (text: string) => () => void settled.push(text);
    tunnel.closed.then(note("closed"), note("closed"));
    // This microtask is queued by the event, so promises that settled before it run first.
    tunnel.addEventListener("state", ({ state }) => state === "closed" && queueMicrotask(note("after the event")));
    await tunnel.connect().catch(() => {});
    if (how === "after close()") await tunnel.close();
    else if (how === "a loss") world.link.cut();
    await turns();
    expect(settled).toEqual(["closed", "after the event"]);
    expect(await outcome(tunnel.closed)).toBe(expected);
  });

  it("resolves at the end of an `await using` block", async () => {
    const world = new World();
    let closed: Promise<void>;
    {
      await using tunnel = (await openTunnel(world)).tunnel;
      ({ closed } = tunnel);
    }
    expect(await outcome(closed)).toBe("resolved");
  });
});

describe("connect()", () => {
  it("rejects while another is in progress, and while the tunnel is open", async () => {
    const world = new World();
    const { tunnel } = tunnelTo(world);
    const first = tunnel.connect();
    expect(await outcome(tunnel.connect())).toBe("misuse");
    await first;
    expect(await outcome(tunnel.connect())).toBe("misuse");
    expect(world.dials).toHaveLength(1);
    expect(tunnel.state).toBe("open");
  });

  it("rejects after the end, which includes a failed first login", async () => {
    const world = new World();
    const { tunnel, events } = await openTunnel(world);
    await tunnel.close();
    const failed = tunnelTo(world, { auth: [password("wrong")] });
    expect(await outcome(failed.tunnel.connect())).toBe("auth");
    world.dials.length = 0;
    for (const ended of [tunnel, failed.tunnel]) {
      await expect(ended.connect()).rejects.toMatchObject({
        code: "misuse",
        message: expect.stringContaining("make a new one"),
      });
      expect(ended.state).toBe("closed");
    }
    expect(await outcome(tunnel.closed)).toBe("resolved");
    expect(await outcome(failed.tunnel.closed)).toBe("auth");
    expect(world.dials).toEqual([]);
    expect(events).toEqual(["closed"]);
  });

  it("dials no server if its signal has aborted before", async () => {
    const world = new World();
    const { tunnel } = tunnelTo(world, { reconnect: { mode: "always" } });
    expect(await outcome(tunnel.connect({ signal: AbortSignal.abort() }))).toBe("AbortError");
    expect(world.dials).toEqual([]);
    expect(tunnel.state).toBe("closed");
  });

  it("ignores its signal once the tunnel is open", async () => {
    const world = new World();
    const { tunnel } = tunnelTo(world);
    const controller = new AbortController();
    tunnel.addEventListener("state", ({ state }) => state === "open" && controller.abort());
    await tunnel.connect({ signal: controller.signal });
    world.link.cut();
    await advance(5_000);
    expect(tunnel.state).toBe("open");
    expect(world.links).toHaveLength(2);
  });

  it("rejects after loginTimeoutMs", async () => {
    const world = new World();
    world.fate = "mute";
    const { tunnel } = tunnelTo(world, { loginTimeoutMs: 3_000 });
    const login = tunnel.connect();
    login.catch(() => {});
    await advance(2_999);
    expect(tunnel.state).toBe("connecting");
    await advance(1);
    expect(await outcome(login)).toBe("timeout");
    expect(tunnel.state).toBe("closed");
  });

  it("has no time limit with loginTimeoutMs Infinity", async () => {
    const { tunnel } = tunnelTo(new World(), {
      loginTimeoutMs: Number.POSITIVE_INFINITY,
      auth: [password(() => new Promise<string>(() => {}))],
    });
    tunnel.connect().catch(() => {});
    await advance(50_000);
    expect(tunnel.state).toBe("authenticating");
  });
});

interface Moment {
  readonly name: string;
  readonly state: TunnelState;
  readonly make: (world: World) => ReturnType<typeof tunnelTo>;
}

const beforeOpen: readonly Moment[] = [
  {
    name: "while it dials",
    state: "connecting",
    make(world) {
      world.fate = "hang";
      return tunnelTo(world);
    },
  },
  {
    name: "while the server sends nothing",
    state: "connecting",
    make(world) {
      world.fate = "mute";
      return tunnelTo(world);
    },
  },
  {
    name: "while the host key is checked",
    state: "connecting",
    make: (world) => tunnelTo(world, { hostKey: () => new Promise(() => {}) }),
  },
  {
    name: "while it isAead",
    state: "authenticating",
    make: (world) => tunnelTo(world, { auth: [password(() => new Promise<string>(() => {}))] }),
  },
  {
    name: "while it waits to try again (always)",
    state: "waiting",
    make(world) {
      world.fate = "refuse";
      return tunnelTo(world, { reconnect: { mode: "always" } });
    },
  },
  {
    name: "while beforeReconnect takes its time (always)",
    state: "waiting",
    make(world) {
      world.fate = "refuse";
      const reconnect = { mode: "always", intervalMs: 0 } as const;
      return tunnelTo(world, { reconnect, beforeReconnect: () => new Promise(() => {}) });
    },
  },
];

describe.each(beforeOpen)("a first login $name", ({ state, make }) => {
  it("is ended by close()", async () => {
    const world = new World();
    const { tunnel, events } = make(world);
    const login = tunnel.connect();
    login.catch(() => {});
    await advance(1);
    expect(tunnel.state).toBe(state);
    expect(await outcome(login)).toBe("unsettled");
    events.length = 0;
    expect(await outcome(tunnel.close())).toBe("resolved");
    expect(await outcome(login)).toBe("aborted");
    expect(await outcome(tunnel.closed)).toBe("aborted");
    expect(events).toEqual(["closed (aborted)"]);
    expect(world.dialling).toBe(0);
    await advance(1_000);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("rejects with the reason of its signal, which ends the tunnel", async () => {
    const world = new World();
    const { tunnel } = make(world);
    const controller = new AbortController();
    const login = tunnel.connect({ signal: controller.signal });
    login.catch(() => {});
    await advance(1);
    expect(tunnel.state).toBe(state);
    controller.abort(new Error("enough"));
    expect(await rejection(login)).toBe(controller.signal.reason);
    expect(await rejection(tunnel.closed)).toMatchObject({ code: "aborted", cause: controller.signal.reason });
    expect(tunnel.state).toBe("closed");
    expect(world.dialling).toBe(0);
    await advance(1_000);
    expect(vi.getTimerCount()).toBe(0);
  });
});

interface LaterMoment {
  readonly name: string;
  readonly state: TunnelState;
  readonly fate?: World["fate"];
  readonly options: Parameters<typeof openTunnel>[1];
}

const afterLoss: readonly LaterMoment[] = [
  { name: "while it waits to try again", state: "waiting", options: {} },
  { name: "while it dials again", state: "connecting", fate: "hang", options: { reconnect: { intervalMs: 0 } } },
  {
    name: "while the server sends nothing",
    state: "connecting",
    fate: "mute",
    options: { reconnect: { intervalMs: 0 } },
  },
  {
    name: "while beforeReconnect takes its time",
    state: "waiting",
    options: { reconnect: { intervalMs: 0 }, beforeReconnect: () => new Promise(() => {}) },
  },
];

describe.each(afterLoss)("a tunnel that lost its connection, $name", ({ state, fate, options }) => {
  it("is ended by close() without an error, and its forwardings with it", async () => {
    const world = new World();
    const { tunnel, events } = await openTunnel(world, options);
    const forwarding = await tunnel.listen({ port: 7777 });
    const next = forwarding[Symbol.asyncIterator]().next();
    if (fate !== undefined) world.fate = fate;
    world.link.cut();
    await advance(1);
    expect(tunnel.state).toBe(state);
    expect(forwarding.state).toBe("pending");
    expect(await outcome(tunnel.close())).toBe("resolved");
    expect(await outcome(tunnel.closed)).toBe("resolved");
    expect(await outcome(forwarding.closed)).toBe("resolved");
    expect(await next).toEqual({ done: true, value: undefined });
    expect(events.at(-1)).toBe("closed");
    expect(world.dialling).toBe(0);
    await advance(1_000);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("close()", () => {
  it("may be called twice and after the end", async () => {
    const { tunnel, events } = tunnelTo(new World());
    await tunnel.connect();
    await Promise.all([tunnel.close(), tunnel.close()]);
    await tunnel.close();
    expect(events.filter((text) => text === "closed")).toHaveLength(1);
  });

  it("waits at most 5 s for a server that does not answer", async () => {
    const world = new World();
    const { tunnel } = await openTunnel(world);
    world.link.silence();
    const closing = tunnel.close();
    expect(await outcome(tunnel.closed)).toBe("resolved");
    await advance(4_999);
    expect(await outcome(closing)).toBe("unsettled");
    await advance(1);
    expect(await outcome(closing)).toBe("resolved");
  });

  it("resolves at once when its signal aborts, even if the server does not answer", async () => {
    const world = new World();
    const { tunnel } = await openTunnel(world);
    world.link.silence();
    const controller = new AbortController();
    const closing = tunnel.close({ signal: controller.signal });
    expect(await outcome(closing)).toBe("unsettled");
    controller.abort();
    expect(await outcome(closing)).toBe("resolved");
  });

  it.each(["connecting", "authenticating", "open"])("leaves nothing behind inside the event `state` %s", async (at) => {
    const { tunnel, events } = tunnelTo(new World(), { selfCheck: { intervalMs: 1_000 } });
    tunnel.addEventListener("state", ({ state }) => state === at && void tunnel.close());
    expect(await outcome(tunnel.connect())).toBe(at === "open" ? "resolved" : "aborted");
    await advance(1_000);
    expect(tunnel.state).toBe("closed");
    expect(events.filter((text) => text.startsWith("closed"))).toHaveLength(1);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("ends the tunnel without an error inside the event `reconnectattempt`", async () => {
    const world = new World();
    const { tunnel } = await openTunnel(world);
    tunnel.addEventListener("reconnectattempt", () => void tunnel.close());
    world.link.cut();
    expect(await outcome(tunnel.closed)).toBe("resolved");
    await advance(1_000);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("aborts the dials of targets, also those of closed forwardings, and fires no visitorerror", async () => {
    const world = new World();
    world.targets.set("target:80", "hang");
    const { tunnel } = await openTunnel(world);
    let errors = 0;
    tunnel.addEventListener("visitorerror", () => errors++);
    const one = await tunnel.forward({ port: 7777, target });
    await tunnel.forward({ port: 8888, target });
    for (const port of [7777, 8888]) world.visit(port).catch(() => {});
    await turns();
    await one.close();
    expect(world.dialling).toBe(2);
    await tunnel.close();
    await turns();
    expect(world.dialling).toBe(0);
    expect(errors).toBe(0);
  });

  it("rejects a call of listen() that is in progress", async () => {
    const world = new World();
    world.portAnswer = () => "hold";
    const { tunnel } = await openTunnel(world);
    const request = tunnel.listen({ port: 7777 });
    expect(await outcome(request)).toBe("unsettled");
    await tunnel.close();
    expect(await outcome(request)).toBe("closed");
    expect(tunnel.forwardings).toEqual([]);
  });
});
