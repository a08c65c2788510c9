/** Forwardings over a reconnection: one identity, requested again until the server frees the port. */
import { publickey } from "@postern/auth";
import { echo, received, testHostKey, turns } from "@postern/testkit";
import { describe, expect, it, vi } from "vitest";
import type { ForwardedChannel } from "../src/index.ts";
import { advance, onVirtualClock, openTunnel, outcome, target, World } from "./world/index.ts";

onVirtualClock();

/** Cuts, and waits until the tunnel is open again. */
async function comeBack(world: World): Promise<void> {
  world.link.cut();
  await advance(5_000);
}

describe("a forwarding", () => {
  it("is the same object after a reconnection, and reports its states", async () => {
    const world = new World();
    world.targets.set("target:80", echo);
    const { tunnel, events } = await openTunnel(world);
    const forwarding = await tunnel.forward({ port: 7777, target });
    events.length = 0;
    world.link.cut();
    await turns();
    expect(forwarding.state).toBe("pending");
    expect(forwarding.reason).toMatchObject({ code: "closed" });
    await advance(5_000);
    expect(forwarding.state).toBe("open");
    expect(forwarding.reason).toBeUndefined();
    expect(tunnel.forwardings).toEqual([forwarding]);
    expect(events).toEqual([
      "waiting (closed)",
      "localhost:7777 pending (closed)",
      "attempt 1 in 5000 (closed)",
      "connecting",
      "authenticating",
      "open",
      "localhost:7777 open",
    ]);
    const visitor = await world.visit(7777);
    const answer = received(visitor);
    visitor.write(new TextEncoder().encode("hello again"));
    await turns();
    expect(answer.text).toBe("hello again");
  });

  it("yields channels after a reconnection to a loop that waited before", async () => {
    const world = new World();
    const { tunnel } = await openTunnel(world);
    const forwarding = await tunnel.listen({ port: 7777 });
    const taken: ForwardedChannel[] = [];
    const loop = (async () => {
      for await (const channel of forwarding) taken.push(channel);
    })();
    await world.visit(7777);
    await turns();
    await comeBack(world);
    await world.visit(7777);
    await turns();
    expect(taken).toHaveLength(2);
    expect(await outcome(taken[0]?.closed ?? Promise.resolve())).toBe("closed");
    expect(await outcome(taken[1]?.closed ?? Promise.resolve())).toBe("unsettled");
    await tunnel.close();
    expect(await outcome(loop)).toBe("resolved");
  });

  it("drops channels that waited when the connection was lost", async () => {
    const world = new World();
    const { tunnel } = await openTunnel(world);
    const forwarding = await tunnel.listen({ port: 7777 });
    await world.visit(7777);
    await turns();
    await comeBack(world);
    expect(await outcome(forwarding[Symbol.asyncIterator]().next())).toBe("unsettled");
  });

  it("is requested again together with all others, independently", async () => {
    const world = new World();
    const { tunnel } = await openTunnel(world);
    const wanted = [
      { address: "localhost", port: 7001 },
      { address: "", port: 7002 },
      { address: "::1", port: 7003 },
    ];
    const forwardings = await Promise.all(wanted.map((one) => tunnel.listen(one)));
    world.requests.length = 0;
    world.portAnswer = (_, port) => (port === 7002 ? "busy" : "listen");
    await comeBack(world);
    expect(world.requests).toEqual(["forward localhost:7001", "forward :7002", "forward ::1:7003"]);
    expect(forwardings.map(({ state }) => state)).toEqual(["open", "pending", "open"]);
    expect(tunnel.state).toBe("open");
  });

  it("rejects a refused first request without retrying", async () => {
    const world = new World();
    world.portAnswer = () => "busy";
    const { tunnel } = await openTunnel(world);
    expect(await outcome(tunnel.listen({ port: 7777 }))).toBe("refused");
    await advance(10_000);
    expect(world.requests).toHaveLength(1);
    expect(tunnel.forwardings).toEqual([]);
  });

  it("retries a refused first request with wait until the port is free", async () => {
    const world = new World();
    world.portAnswer = () => "busy";
    const { tunnel } = await openTunnel(world);
    const waiting = tunnel.listen({ port: 7777, wait: true });
    await advance(5_000);
    expect(world.requests).toHaveLength(3);
    world.portAnswer = () => "listen";
    await advance(2_000);
    expect((await waiting).state).toBe("open");
    world.portAnswer = () => "denied";
    expect(await outcome(tunnel.listen({ port: 7778, wait: true }))).toBe("denied");
  });

  it("stops to wait if its signal aborts, and if the tunnel ends", async () => {
    const world = new World();
    world.portAnswer = () => "busy";
    const { tunnel } = await openTunnel(world);
    const abort = new AbortController();
    const aborted = tunnel.listen({ port: 7777, wait: true, signal: abort.signal });
    const ended = tunnel.listen({ port: 7778, wait: true });
    await advance(1_000);
    abort.abort();
    expect(await outcome(aborted)).toBe("AbortError");
    await tunnel.close();
    expect(await outcome(ended)).toBe("closed");
    expect(tunnel.forwardings).toEqual([]);
  });
});

describe("a port that our own dead session still holds", () => {
  it("is requested every 2 s on the same connection until the server frees it", async () => {
    const world = new World();
    const { tunnel, events } = await openTunnel(world);
    const forwarding = await tunnel.listen({ port: 7777 });
    world.portAnswer = () => "busy";
    await comeBack(world);
    expect(tunnel.state).toBe("open");
    expect(forwarding.state).toBe("pending");
    expect(forwarding.reason).toMatchObject({ code: "refused", message: expect.stringContaining("may be in use") });
    expect(world.requests).toHaveLength(2);
    await advance(1_999);
    expect(world.requests).toHaveLength(2);
    await advance(1);
    expect(world.requests).toHaveLength(3);
    await advance(18_000);
    expect(world.requests).toHaveLength(12);
    world.portAnswer = () => "listen";
    await advance(2_000);
    expect(forwarding.state).toBe("open");
    expect(events.at(-1)).toBe("localhost:7777 open");
    expect(world.links).toHaveLength(2);
    await advance(10_000);
    expect(world.requests).toHaveLength(13);
  });

  it("is requested on the next connection if this one breaks as well", async () => {
    const world = new World();
    const { tunnel } = await openTunnel(world);
    const forwarding = await tunnel.listen({ port: 7777 });
    world.portAnswer = () => "busy";
    await comeBack(world);
    await advance(1_000);
    world.portAnswer = () => "listen";
    const asked = world.requests.length;
    await comeBack(world);
    expect(forwarding.state).toBe("open");
    // The wait of the previous connection has ended.
    await advance(10_000);
    expect(world.requests).toHaveLength(asked + 1);
  });
});

describe("port 0", () => {
  it("requests the port that the server chose before, because visitors know it", async () => {
    const world = new World();
    const { tunnel } = await openTunnel(world);
    const forwarding = await tunnel.listen({ port: 0 });
    expect(forwarding.port).toBe(40_000);
    await comeBack(world);
    expect(forwarding.port).toBe(40_000);
    expect(world.requests).toEqual(["forward localhost:0", "forward localhost:40000"]);
  });

  it.each(["busy", "denied"] as const)("requests any port if that one is %s", async (answer) => {
    const world = new World();
    const { tunnel, events } = await openTunnel(world);
    const forwarding = await tunnel.listen({ port: 0 });
    world.portAnswer = (_, port) => (port === 40_000 ? answer : "listen");
    await comeBack(world);
    expect(world.requests.slice(1)).toEqual(["forward localhost:40000", "forward localhost:0"]);
    expect(forwarding).toMatchObject({ state: "open", port: 40_001 });
    expect(events.at(-1)).toBe("localhost:40001 open");
    await comeBack(world);
    expect(world.requests.at(-1)).toBe("forward localhost:40001");
  });
});

describe("a forwarding whose port is refused for good", () => {
  it("ends with the error of the server's policy, and no other forwarding ends", async () => {
    const world = new World();
    const { tunnel, events } = await openTunnel(world);
    const denied = await tunnel.listen({ port: 7001 });
    const other = await tunnel.listen({ port: 7002 });
    const loop = denied[Symbol.asyncIterator]().next();
    loop.catch(() => {});
    world.portAnswer = (_, port) => (port === 7001 ? "denied" : "listen");
    await comeBack(world);
    expect(denied).toMatchObject({ state: "closed", reason: { code: "denied" } });
    expect(await outcome(denied.closed)).toBe("denied");
    expect(await outcome(loop)).toBe("denied");
    expect(events).toContain("localhost:7001 closed (denied)");
    expect(other.state).toBe("open");
    expect(tunnel.state).toBe("open");
    expect(tunnel.forwardings).toEqual([other]);
    await advance(10_000);
    expect(world.requests.filter((text) => text.endsWith("7001"))).toHaveLength(2);
  });

  it("ends if the server returns no port", async () => {
    const world = new World();
    const { tunnel } = await openTunnel(world);
    const forwarding = await tunnel.listen({ port: 0 });
    world.portAnswer = (_, port) => (port === 0 ? "no port" : "busy");
    await comeBack(world);
    expect(forwarding).toMatchObject({ state: "closed", reason: { code: "protocol" } });
    expect(tunnel.state).toBe("open");
  });

  it("ends if the program has forwarded the port again meanwhile", async () => {
    const world = new World();
    const { tunnel } = await openTunnel(world);
    const old = await tunnel.listen({ port: 7777 });
    world.portAnswer = () => "busy";
    await comeBack(world);
    world.portAnswer = () => "listen";
    const fresh = await tunnel.listen({ port: 7777 });
    await advance(2_000);
    expect(old).toMatchObject({ state: "closed", reason: { code: "misuse" } });
    expect(fresh.state).toBe("open");
  });
});

describe("Forwarding.close()", () => {
  it("ends the forwarding without another request while the tunnel is down", async () => {
    const world = new World();
    const { tunnel, events } = await openTunnel(world);
    const forwarding = await tunnel.listen({ port: 7777 });
    world.link.cut();
    await advance(1_000);
    await forwarding.close();
    expect(await outcome(forwarding.closed)).toBe("resolved");
    expect(events.at(-1)).toBe("localhost:7777 closed");
    await advance(10_000);
    expect(tunnel.state).toBe("open");
    expect(world.requests).toEqual(["forward localhost:7777"]);
  });

  it("ends the retries of a port that is taken", async () => {
    const world = new World();
    const { tunnel } = await openTunnel(world);
    const forwarding = await tunnel.listen({ port: 7777 });
    world.portAnswer = () => "busy";
    await comeBack(world);
    const timers = vi.getTimerCount();
    await forwarding.close();
    expect(vi.getTimerCount()).toBe(timers - 1);
    await advance(10_000);
    expect(world.requests).toHaveLength(2);
  });

  it("cancels a request in flight that succeeds later (cancel-tcpip-forward)", async () => {
    const world = new World();
    const { tunnel } = await openTunnel(world);
    const forwarding = await tunnel.listen({ port: 7777 });
    world.portAnswer = () => "hold";
    await comeBack(world);
    expect(forwarding.state).toBe("pending");
    await forwarding.close();
    expect(await outcome(forwarding.closed)).toBe("resolved");
    world.release();
    await turns();
    expect(world.requests.slice(1)).toEqual(["forward localhost:7777", "cancel localhost:7777"]);
    expect([...world.link.ports]).toEqual([]);
  });

  it("resolves if the connection is lost before the answer, because that frees the port", async () => {
    const world = new World();
    const { tunnel, events } = await openTunnel(world);
    const forwarding = await tunnel.listen({ port: 7777 });
    world.cancelAnswer = "hold";
    const cancelled = forwarding.close();
    await turns();
    events.length = 0;
    world.link.cut();
    expect(await outcome(cancelled)).toBe("resolved");
    expect(await outcome(forwarding.closed)).toBe("resolved");
    expect(events.filter((text) => text.startsWith("localhost"))).toEqual(["localhost:7777 closed"]);
    await advance(10_000);
    expect(tunnel.state).toBe("open");
    expect(world.requests).toEqual(["forward localhost:7777", "cancel localhost:7777"]);
  });

  it("leaves the forwarding open if the server refuses, also over a reconnection", async () => {
    const world = new World();
    const { tunnel } = await openTunnel(world);
    const forwarding = await tunnel.listen({ port: 7777 });
    world.cancelAnswer = "refuse";
    expect(await outcome(forwarding.close())).toBe("refused");
    expect(forwarding.state).toBe("open");
    await comeBack(world);
    expect(forwarding.state).toBe("open");
    expect(tunnel.forwardings).toEqual([forwarding]);
  });

  it("does nothing if the forwarding is closed", async () => {
    const world = new World();
    const { tunnel } = await openTunnel(world);
    const forwarding = await tunnel.listen({ port: 7777 });
    await forwarding.close();
    await forwarding.close();
    await tunnel.close();
    await forwarding.close();
    expect(world.requests).toEqual(["forward localhost:7777", "cancel localhost:7777"]);
  });
});

describe("a visitor of a lost connection", () => {
  it("is dropped while onOpen decides: no target is dialled, and it does not count as refused", async () => {
    const world = new World();
    world.targets.set("target:80", echo);
    const { tunnel } = await openTunnel(world);
    const answers: ((taken: boolean) => void)[] = [];
    const onOpen = (): Promise<boolean> => new Promise((resolve) => answers.push(resolve));
    const forwarding = await tunnel.forward({ port: 7777, target, onOpen });
    for (let i = 0; i < 2; i++) world.visit(7777).catch(() => {});
    await turns();
    await comeBack(world);
    for (const [at, answer] of answers.entries()) answer(at === 0);
    await turns();
    expect(answers).toHaveLength(2);
    expect(world.dials).not.toContain("target:80");
    expect(forwarding.stats()).toMatchObject({ accepted: 0, refused: 0, open: 0 });
  });
});

describe("a request for a port", () => {
  it("rejects if the connection is lost meanwhile, and is not repeated", async () => {
    const world = new World();
    world.portAnswer = () => "hold";
    const { tunnel } = await openTunnel(world);
    const request = tunnel.listen({ port: 7777 });
    await turns();
    world.link.cut();
    expect(await outcome(request)).toBe("closed");
    await advance(10_000);
    expect(tunnel.state).toBe("open");
    expect(world.requests).toHaveLength(1);
    expect(tunnel.forwardings).toEqual([]);
  });

  it("is repeated on the third connection if the second one is lost during the request", async () => {
    const world = new World();
    const { tunnel } = await openTunnel(world);
    const forwarding = await tunnel.listen({ port: 7777 });
    world.portAnswer = () => "hold";
    await comeBack(world);
    world.portAnswer = () => "listen";
    await comeBack(world);
    expect(forwarding.state).toBe("open");
    expect(world.requests).toHaveLength(3);
    // The answer of the second connection has no effect.
    world.release();
    await turns();
    expect(forwarding.state).toBe("open");
  });

  it.each(["waiting", "connecting", "authenticating"] as const)(
    "waits for the next connection if it was made while the tunnel is %s again",
    async (state) => {
      const world = new World();
      const { tunnel, events } = await openTunnel(world);
      world.delayMs = 50;
      world.link.cut();
      await turns();
      for (let ms = 0; ms < 10_000 && tunnel.state !== state; ms += 10) await advance(10);
      expect(tunnel.state).toBe(state);
      const request = tunnel.listen({ port: 7777 });
      expect(await outcome(request)).toBe("unsettled");
      await advance(10_000);
      const forwarding = await request;
      expect(tunnel.forwardings).toEqual([forwarding]);
      expect(events.at(-1)).toBe("localhost:7777 open");
      expect(world.requests).toEqual(["forward localhost:7777"]);
      await comeBack(world);
      await advance(1_000);
      expect(forwarding.state).toBe("open");
    },
  );

  it("is sent on the next working connection if it was made while the tunnel was down", async () => {
    const world = new World();
    const { tunnel } = await openTunnel(world, { auth: [publickey(testHostKey())] });
    world.link.cut();
    await turns();
    const request = tunnel.listen({ port: 7777 });
    let cut = 1;
    tunnel.addEventListener("state", ({ state }) => {
      if (state === "authenticating" && cut-- > 0) queueMicrotask(() => world.cutAll());
    });
    await advance(5_000);
    expect(await outcome(request)).toBe("unsettled");
    await advance(5_000);
    expect((await request).state).toBe("open");
  });

  it("rejects with the tunnel's error or `closed` if the tunnel ends while it is down", async () => {
    const world = new World();
    const { tunnel } = await openTunnel(world, { reconnect: { maxRetries: 1 } });
    world.fate = "refuse";
    world.link.cut();
    await turns();
    const given = tunnel.listen({ port: 7777 });
    expect(await outcome(given)).toBe("unsettled");
    await advance(5_000);
    expect(await outcome(given)).toBe("connect");

    const other = new World();
    const left = (await openTunnel(other)).tunnel;
    other.link.cut();
    await turns();
    const waiting = left.listen({ port: 7777 });
    await left.close();
    expect(await outcome(waiting)).toBe("closed");
    expect(left.forwardings).toEqual([]);
    expect(await outcome(left.listen({ port: 7777 }))).toBe("closed");
  });

  it("rejects if its signal aborts while the tunnel is down, and is not sent later", async () => {
    const world = new World();
    const { tunnel } = await openTunnel(world);
    world.link.cut();
    await turns();
    const abort = new AbortController();
    const request = tunnel.listen({ port: 7777, signal: abort.signal });
    abort.abort();
    expect(await outcome(request)).toBe("AbortError");
    await advance(10_000);
    expect(tunnel.state).toBe("open");
    expect(world.requests).toEqual([]);
  });
});

describe("the `forwarding` event", () => {
  it("fires when `tunnel.forwardings` has changed already", async () => {
    const world = new World();
    const { tunnel } = await openTunnel(world);
    const seen: [string, boolean][] = [];
    tunnel.addEventListener("forwarding", ({ state, forwarding }) => {
      seen.push([state, tunnel.forwardings.includes(forwarding)]);
    });
    const forwarding = await tunnel.listen({ port: 7777 });
    await comeBack(world);
    await forwarding.close();
    expect(seen).toEqual([
      ["open", true],
      ["pending", true],
      ["open", true],
      ["closed", false],
    ]);
  });

  it("does not fire if the tunnel ends or loses its connection as the answer arrives", async () => {
    for (const how of ["close", "cut"] as const) {
      for (let count = 0; count < 24; count++) {
        const world = new World();
        world.portAnswer = () => "hold";
        const { tunnel, events } = await openTunnel(world);
        const request = tunnel.listen({ port: 7777 });
        request.catch(() => {});
        await turns();
        world.release();
        // Lets the answer pass through the promises of both ends.
        for (let turn = 0; turn < count; turn++) await Promise.resolve();
        if (how === "close") void tunnel.close();
        else world.link.cut();
        await turns();
        const over = events.findIndex((text) => text === "closed" || text.startsWith("waiting"));
        expect(events.indexOf("localhost:7777 open"), `${how} after ${count} turns: ${events.join(", ")}`).toBeLessThan(
          over,
        );
        for (const { state } of tunnel.forwardings) expect(state).toBe("pending");
        expect(await outcome(request)).not.toBe("unsettled");
      }
    }
  });
});
