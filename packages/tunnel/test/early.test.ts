/** Ports that are requested before the tunnel is open: along with the login, or after it. */
import { publickey } from "@postern/auth";
import { testHostKey, turns } from "@postern/testkit";
import { describe, expect, it } from "vitest";
import type { ReverseTunnel } from "../src/index.ts";
import { advance, onVirtualClock, openTunnel, outcome, target, tunnelTo, World } from "./world/index.ts";

onVirtualClock();

/** Cuts the network right after the login request, and whatever is sent along with it. */
function cutNextLogin(tunnel: ReverseTunnel, world: World): void {
  const cut = ({ state }: { readonly state: string }): void => {
    if (state !== "authenticating") return;
    tunnel.removeEventListener("state", cut);
    queueMicrotask(() => world.cutAll());
  };
  tunnel.addEventListener("state", cut);
}

const key = { auth: [publickey(testHostKey())] };

describe("a port requested during login", () => {
  it.each([
    ["with it, by key", key],
    ["after it, by password", {}],
  ])("is open right after the tunnel: %s", async (_title, options) => {
    const world = new World();
    const { tunnel, events } = tunnelTo(world, options);
    const [, forwarding] = await Promise.all([tunnel.connect(), tunnel.forward({ port: 7777, target })]);
    await turns();
    expect(forwarding.state).toBe("open");
    expect(tunnel.forwardings).toEqual([forwarding]);
    expect(events).toEqual(["connecting", "authenticating", "open", "localhost:7777 open"]);
    expect(world.requests).toEqual(["forward localhost:7777"]);
  });

  it("saves a round trip with a key", async () => {
    const took = async (options: object): Promise<number> => {
      const world = new World();
      world.delayMs = 50;
      const { tunnel } = tunnelTo(world, options);
      const began = performance.now();
      const both = Promise.all([tunnel.connect(), tunnel.forward({ port: 7777, target })]);
      for (let ms = 0; ms < 1_000 && (await outcome(both)) === "unsettled"; ms += 50) await advance(50);
      await both;
      return performance.now() - began;
    };
    expect((await took({})) - (await took(key))).toBe(100);
  });

  it("rejects if the server refuses it, and leaves the tunnel open", async () => {
    const world = new World();
    world.portAnswer = () => "busy";
    const { tunnel } = tunnelTo(world, key);
    const login = tunnel.connect();
    const forwarding = tunnel.forward({ port: 7777, target });
    expect(await outcome(forwarding)).toBe("refused");
    await login;
    expect(tunnel.state).toBe("open");
    expect(tunnel.forwardings).toEqual([]);
  });

  it("rejects if login fails", async () => {
    const world = new World();
    world.keys = false;
    const { tunnel } = tunnelTo(world, key);
    const login = tunnel.connect();
    const forwarding = tunnel.forward({ port: 7777, target });
    expect(await Promise.all([outcome(login), outcome(forwarding)])).toEqual(["auth", "auth"]);
    expect(tunnel.state).toBe("closed");
    expect(tunnel.forwardings).toEqual([]);
    expect(world.requests).toEqual([]);
  });

  it("rejects if the server is not reached and the tunnel is closed", async () => {
    const world = new World();
    world.fate = "hang";
    const { tunnel } = tunnelTo(world, key);
    const login = tunnel.connect();
    const forwarding = tunnel.forward({ port: 7777, target });
    expect(await outcome(forwarding)).toBe("unsettled");
    await tunnel.close();
    expect(await Promise.all([outcome(login), outcome(forwarding)])).toEqual(["aborted", "aborted"]);
  });

  it("is requested again with the next login if the connection breaks during the first one", async () => {
    const world = new World();
    const { tunnel } = tunnelTo(world, { ...key, reconnect: { mode: "always" } });
    cutNextLogin(tunnel, world);
    const login = tunnel.connect();
    const forwarding = tunnel.forward({ port: 7777, target });
    expect(await outcome(forwarding)).toBe("unsettled");
    await advance(5_000);
    await login;
    expect((await forwarding).state).toBe("open");
    expect(world.requests).toEqual(["forward localhost:7777"]);
  });

  it.each([
    ["the next of several hosts", { hosts: ["bad", "good"] }, "refuse"],
    ["the same host, later", { reconnect: { mode: "always" } }, "refuse"],
    ["a host that turned us away first", { reconnect: { mode: "always" } }, "reset"],
  ] as const)("is open if the first attempt fails before login: %s", async (_title, options, fate) => {
    const world = new World();
    world.fates.push(fate);
    const { tunnel } = tunnelTo(world, { ...key, ...options });
    const both = Promise.all([tunnel.connect(), tunnel.forward({ port: 7777, target })]);
    for (let waited = 0; waited < 60_000 && (await outcome(both)) === "unsettled"; waited += 5_000)
      await advance(5_000);
    const [, forwarding] = await both;
    expect(forwarding.state).toBe("open");
    expect(world.requests).toEqual(["forward localhost:7777"]);
  });

  it("sends nothing if it was aborted before the request left", async () => {
    const world = new World();
    const { tunnel } = tunnelTo(world);
    const abort = new AbortController();
    tunnel.addEventListener("state", ({ state }) => {
      if (state === "authenticating") queueMicrotask(() => abort.abort());
    });
    const login = tunnel.connect();
    const given = tunnel.forward({ port: 7777, target, signal: abort.signal });
    const kept = tunnel.forward({ port: 7778, target });
    expect(await outcome(given)).toBe("AbortError");
    await login;
    expect((await kept).state).toBe("open");
    expect(world.requests).toEqual(["forward localhost:7778"]);
  });

  it("rejects if the connection breaks after the tunnel has opened", async () => {
    const world = new World();
    world.portAnswer = (_address, _port, attempt) => (attempt === 1 ? "hold" : "listen");
    const { tunnel } = tunnelTo(world, { ...key, reconnect: { mode: "always" } });
    const login = tunnel.connect();
    const forwarding = tunnel.forward({ port: 7777, target });
    await login;
    world.link.cut();
    expect(await outcome(forwarding)).toBe("closed");
    await advance(5_000);
    expect(tunnel.state).toBe("open");
    expect(tunnel.forwardings).toEqual([]);
  });

  it("waits for the end of later logins once the server has dropped one that it was sent with", async () => {
    const world = new World();
    const { tunnel, events } = tunnelTo(world, { ...key, reconnect: { mode: "always" } });
    cutNextLogin(tunnel, world);
    const both = Promise.all([tunnel.connect(), tunnel.forward({ port: 7777, target })]);
    await outcome(both);
    world.delayMs = 50;
    const at = new Map<string, number>();
    tunnel.addEventListener("state", ({ state }) => void at.set(state, performance.now()));
    tunnel.addEventListener("forwarding", () => void at.set("port", performance.now()));
    for (let ms = 0; ms < 7_000 && !at.has("port"); ms += 10) await advance(10);
    await both;
    // One round trip after the tunnel, not together with it.
    expect((at.get("port") ?? 0) - (at.get("open") ?? 0)).toBe(100);
    expect(events.at(-1)).toBe("localhost:7777 open");
  });

  it("can be aborted before the server is reached and after", async () => {
    const world = new World();
    world.delayMs = 50;
    const { tunnel } = tunnelTo(world, key);
    const login = tunnel.connect();
    const early = new AbortController();
    const late = new AbortController();
    const first = tunnel.forward({ port: 7777, target, signal: early.signal });
    const second = tunnel.forward({ port: 7778, target, signal: late.signal });
    early.abort();
    expect(await outcome(first)).toBe("AbortError");
    for (let ms = 0; ms < 1_000 && tunnel.state !== "authenticating"; ms += 10) await advance(10);
    late.abort();
    expect(await outcome(second)).toBe("AbortError");
    await advance(500);
    await login;
    // The request had been sent, so the port was cancelled.
    expect(world.requests).toEqual(["forward localhost:7778", "cancel localhost:7778"]);
    expect([...world.link.ports]).toEqual([]);
    expect(tunnel.forwardings).toEqual([]);
  });

  it("waits for connect() if it was requested before", async () => {
    const world = new World();
    const { tunnel } = tunnelTo(world, key);
    const forwarding = tunnel.forward({ port: 7777, target });
    const listener = tunnel.listen({ port: 7778 });
    expect(await Promise.all([outcome(forwarding), outcome(listener)])).toEqual(["unsettled", "unsettled"]);
    expect(world.dials).toEqual([]);
    await tunnel.connect();
    expect(await Promise.all([forwarding, listener])).toEqual(tunnel.forwardings);
  });

  it("rejects if the tunnel is closed before connect()", async () => {
    const { tunnel } = tunnelTo(new World(), key);
    const forwarding = tunnel.forward({ port: 7777, target });
    await tunnel.close();
    expect(await outcome(forwarding)).toBe("closed");
    expect(await outcome(tunnel.closed)).toBe("resolved");
  });
});

describe("a forwarding that reconnects with a key", () => {
  it("frees its port if it is closed as soon as the tunnel is open again", async () => {
    const world = new World();
    const { tunnel } = await openTunnel(world, key);
    const forwarding = await tunnel.forward({ port: 7777, target });
    tunnel.addEventListener("state", ({ state }) => {
      if (state === "open") void forwarding.close();
    });
    world.link.cut();
    await advance(5_000);
    expect(tunnel.state).toBe("open");
    expect(forwarding.state).toBe("closed");
    expect([...world.link.ports]).toEqual([]);
    expect(await outcome(tunnel.forward({ port: 7777, target }))).toBe("resolved");
  });

  it("stays pending if a login fails, and is open after the next one", async () => {
    const world = new World();
    const { tunnel, events } = await openTunnel(world, key);
    const forwarding = await tunnel.forward({ port: 7777, target });
    events.length = 0;
    world.link.cut();
    await turns();
    cutNextLogin(tunnel, world);
    await advance(5_000);
    expect(forwarding.state).toBe("pending");
    await advance(5_000);
    expect(forwarding.state).toBe("open");
    expect(events.at(-1)).toBe("localhost:7777 open");
    expect(events.filter((one) => one.startsWith("localhost"))).toEqual([
      "localhost:7777 pending (closed)",
      "localhost:7777 open",
    ]);
  });
});
