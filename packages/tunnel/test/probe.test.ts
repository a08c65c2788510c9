/** probe() and selfCheck: whether the server's port is ours, checked by connecting to it through the server. */
import { echo, received, turns } from "@postern/testkit";
import { describe, expect, it, vi } from "vitest";
import type { ProbeAnswer, SelfCheckEvent } from "../src/index.ts";
import { advance, type DirectAnswer, onVirtualClock, openTunnel, outcome, target, World } from "./world/index.ts";

onVirtualClock();

const hello = (): Uint8Array<ArrayBuffer> => new TextEncoder().encode("hello");

describe("probe", () => {
  it.each([
    ["localhost", ["127.0.0.1", "::1"]],
    // OpenSSH matches `localhost` exactly; other spellings go to its resolver.
    ["LOCALHOST", ["LOCALHOST"]],
    ["", ["127.0.0.1", "::1"]],
    ["*", ["127.0.0.1", "::1"]],
    ["::", ["::1"]],
    ["0.0.0.0", ["127.0.0.1"]],
    ["127.0.0.1", ["127.0.0.1"]],
    ["::1", ["::1"]],
    ["192.0.2.1", ["192.0.2.1"]],
  ])("asks for %j at %j", async (address, asked) => {
    const world = new World();
    const { tunnel } = await openTunnel(world);
    const forwarding = await tunnel.listen({ address, port: 7777 });
    const { ok, answers } = await forwarding.probe();
    expect([...answers]).toEqual(asked.map((host) => [host, "ours"]));
    expect(ok).toBe(true);
    expect(forwarding.stats()).toMatchObject({ accepted: 0, open: 0, refused: 0, bytesIn: 0 });
  });

  it.each([
    ["half bound", ["own", "closed"], ["ours", "closed"], false],
    ["half foreign", ["foreign", "own"], ["foreign", "ours"], false],
    ["foreign", ["foreign", "foreign"], ["foreign", "foreign"], false],
    ["closed", ["closed", "closed"], ["closed", "closed"], false],
    ["not permitted to be checked (PermitOpen)", ["denied", "denied"], ["denied", "denied"], false],
    ["half to be opens at", ["own", "denied"], ["ours", "denied"], true],
  ] as readonly (readonly [string, readonly DirectAnswer[], readonly ProbeAnswer[], boolean])[])(
    "reports a listener that is %s",
    async (_, how, expected, ok) => {
      const world = new World();
      world.directAnswer = (host) => (host === "127.0.0.1" ? how[0] : how[1]) ?? "own";
      const { tunnel } = await openTunnel(world);
      const forwarding = await tunnel.listen({ port: 7777 });
      const result = await forwarding.probe();
      expect([...result.answers.values()]).toEqual(expected);
      expect(result.ok).toBe(ok);
    },
  );

  it("answers foreign if the connection is accepted but silent for 5 s", async () => {
    const world = new World();
    world.directAnswer = () => "mute";
    const { tunnel } = await openTunnel(world);
    const forwarding = await tunnel.listen({ address: "127.0.0.1", port: 7777 });
    const probe = forwarding.probe();
    await advance(4_999);
    expect(await outcome(probe)).toBe("unsettled");
    await advance(1);
    expect((await probe).answers.get("127.0.0.1")).toBe("foreign");
  });

  it("answers closed if the server does not connect within 5 s", async () => {
    const world = new World();
    world.directAnswer = () => "hang";
    const { tunnel } = await openTunnel(world);
    const forwarding = await tunnel.listen({ address: "127.0.0.1", port: 7777 });
    const probe = forwarding.probe();
    await advance(5_000);
    expect((await probe).answers.get("127.0.0.1")).toBe("closed");
  });

  it("rejects for a forwarding that is pending or closed", async () => {
    const world = new World();
    const { tunnel } = await openTunnel(world);
    const forwarding = await tunnel.listen({ port: 7777 });
    world.link.cut();
    await turns();
    expect(await outcome(forwarding.probe())).toBe("closed");
    await forwarding.close();
    expect(await outcome(forwarding.probe())).toBe("closed");
  });

  it.each(["hang", "mute"] as const)("rejects if the connection is lost meanwhile (%s)", async (how) => {
    const world = new World();
    world.directAnswer = () => how;
    const { tunnel } = await openTunnel(world);
    const forwarding = await tunnel.listen({ port: 7777 });
    const probe = forwarding.probe();
    await turns();
    world.link.cut();
    expect(await outcome(probe)).toBe("closed");
  });

  it("rejects if the server disconnects meanwhile, whatever the reason code", async () => {
    const world = new World();
    world.directAnswer = () => "hang";
    const { tunnel } = await openTunnel(world);
    const forwarding = await tunnel.listen({ port: 7777 });
    const probe = forwarding.probe();
    await turns();
    void world.link.connection.close();
    expect(await outcome(probe)).toBe("disconnected");
  });

  it.each(["hang", "mute"] as const)("rejects at once if its signal aborts (%s)", async (how) => {
    const world = new World();
    world.directAnswer = () => how;
    const { tunnel } = await openTunnel(world);
    const forwarding = await tunnel.listen({ port: 7777 });
    const controller = new AbortController();
    const before = vi.getTimerCount();
    const probe = forwarding.probe({ signal: controller.signal });
    await turns();
    controller.abort();
    expect(await outcome(probe)).toBe("AbortError");
    expect(vi.getTimerCount()).toBe(before);
  });

  it("rejects if its signal has aborted before, and sends nothing to the server", async () => {
    const world = new World();
    let opens = 0;
    world.directAnswer = () => {
      opens++;
      return "own";
    };
    const { tunnel } = await openTunnel(world);
    const forwarding = await tunnel.listen({ port: 7777 });
    expect(await outcome(forwarding.probe({ signal: AbortSignal.abort() }))).toBe("AbortError");
    expect(opens).toBe(0);
  });

  it("may be called often at once", async () => {
    const world = new World();
    const { tunnel } = await openTunnel(world);
    const forwarding = await tunnel.listen({ port: 7777 });
    const results = await Promise.all(Array.from({ length: 10 }, () => forwarding.probe()));
    expect(results.map(({ ok }) => ok)).toEqual(Array(10).fill(true));
  });
});

describe("a visitor that arrives during a probe", () => {
  it("is served with every byte if it sends data", async () => {
    const world = new World();
    world.targets.set("target:80", echo);
    world.directAnswer = (host) => (host === "::1" ? "mute" : "own");
    const { tunnel } = await openTunnel(world);
    const forwarding = await tunnel.forward({ port: 7777, target });
    const probe = forwarding.probe();
    await turns();
    const visitor = await world.visit(7777);
    const answer = received(visitor);
    const text = "x".repeat(100);
    visitor.write(new TextEncoder().encode(text));
    await turns();
    expect(answer.text).toBe(text);
    expect(await outcome(probe)).toBe("unsettled");
    await advance(5_000);
    expect((await probe).answers.get("127.0.0.1")).toBe("ours");
  });

  it("is served when the probe is over if it sends nothing", async () => {
    const world = new World();
    world.targets.set("target:80", (pipe) => {
      echo(pipe);
      pipe.write(new TextEncoder().encode("220 ready"));
    });
    world.directAnswer = () => "mute";
    const { tunnel } = await openTunnel(world);
    const forwarding = await tunnel.forward({ port: 7777, target });
    const probe = forwarding.probe();
    await turns();
    const visitor = await world.visit(7777);
    const answer = received(visitor);
    await advance(4_999);
    expect(answer.text).toBe("");
    await advance(1);
    expect(answer.text).toBe("220 ready");
    expect((await probe).ok).toBe(false);
    visitor.write(hello());
    await turns();
    expect(answer.text).toBe("220 readyhello");
    expect(forwarding.stats()).toMatchObject({ accepted: 1, bytesIn: 5 });
  });

  it("is held, if it sends nothing, only for the probes that were running when it arrived", async () => {
    const world = new World();
    world.directAnswer = () => "mute";
    const { tunnel } = await openTunnel(world);
    const forwarding = await tunnel.listen({ address: "127.0.0.1", port: 7777 });
    void forwarding.probe();
    await turns();
    await world.visit(7777, { address: "127.0.0.1" });
    await advance(4_000);
    const later = forwarding.probe();
    await advance(999);
    expect(forwarding.stats().accepted).toBe(0);
    await advance(1);
    expect(forwarding.stats().accepted).toBe(1);
    expect(await outcome(later)).toBe("unsettled");
    await advance(4_000);
    expect(await outcome(later)).toBe("resolved");
  });

  it("is dropped if it leaves at once without sending data", async () => {
    const world = new World();
    world.directAnswer = () => "mute";
    const { tunnel } = await openTunnel(world);
    const forwarding = await tunnel.listen({ port: 7777 });
    const probe = forwarding.probe();
    await turns();
    (await world.visit(7777)).close();
    await advance(5_000);
    expect((await probe).ok).toBe(false);
    expect(forwarding.stats().open).toBe(0);
  });

  it("is shown neither to onOpen nor to the target if its connection is lost meanwhile", async () => {
    const world = new World();
    world.targets.set("target:80", echo);
    world.directAnswer = () => "mute";
    const { tunnel } = await openTunnel(world);
    let asked = 0;
    const onOpen = (): boolean => ++asked > 0;
    const forwarding = await tunnel.forward({ port: 7777, target, onOpen });
    forwarding.probe().catch(() => {});
    await turns();
    await world.visit(7777);
    world.link.cut();
    await advance(10_000);
    expect(asked).toBe(0);
    expect(world.dials).not.toContain("target:80");
  });

  it("is passed to onOpen, unlike our own probe", async () => {
    const world = new World();
    world.directAnswer = (host) => (host === "::1" ? "mute" : "own");
    const { tunnel } = await openTunnel(world);
    const asked: string[] = [];
    const onOpen = ({ origin }: { readonly origin: { readonly host: string } }): boolean => {
      asked.push(origin.host);
      return false;
    };
    const forwarding = await tunnel.listen({ port: 7777, onOpen });
    const probe = forwarding.probe();
    await turns();
    const visitor = await world.visit(7777);
    const answer = received(visitor);
    visitor.write(new Uint8Array(64));
    await turns();
    expect(answer.closed).toBe(true);
    expect(asked).toEqual(["192.0.2.99"]);
    await advance(5_000);
    expect((await probe).answers.get("127.0.0.1")).toBe("ours");
    expect(forwarding.stats()).toMatchObject({ accepted: 0, refused: 1 });
  });
});

describe("selfCheck", () => {
  it("is off by default", async () => {
    const world = new World();
    const { tunnel } = await openTunnel(world);
    await tunnel.listen({ port: 7777 });
    let opens = 0;
    world.directAnswer = () => {
      opens++;
      return "own";
    };
    await advance(3_600_000 / 2);
    expect(opens).toBe(0);
  });

  it("probes every open forwarding each intervalMs, and fires `selfcheck`", async () => {
    const world = new World();
    const { tunnel } = await openTunnel(world, { selfCheck: { intervalMs: 60_000 } });
    const one = await tunnel.listen({ port: 7001 });
    const two = await tunnel.listen({ port: 7002 });
    world.directAnswer = (_, port) => (port === 7002 ? "foreign" : "own");
    const seen: SelfCheckEvent[] = [];
    tunnel.addEventListener("selfcheck", (event) => seen.push(event));
    await advance(59_999);
    expect(seen).toEqual([]);
    await advance(1);
    expect(seen.map(({ forwarding, result }) => [forwarding, result.ok])).toEqual([
      [one, true],
      [two, false],
    ]);
    await advance(60_000);
    expect(seen).toHaveLength(4);
  });

  it("pauses while the connection is down, and ends with the tunnel", async () => {
    const world = new World();
    const { tunnel } = await openTunnel(world, {
      selfCheck: { intervalMs: 10_000 },
      reconnect: { intervalMs: 100_000 },
    });
    await tunnel.listen({ port: 7777 });
    let seen = 0;
    tunnel.addEventListener("selfcheck", () => seen++);
    world.link.cut();
    await advance(100_000);
    expect(seen).toBe(0);
    await advance(10_000);
    expect(seen).toBe(1);
    await tunnel.close();
    await advance(60_000);
    expect(seen).toBe(1);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("runs one round at a time, however short the interval", async () => {
    const world = new World();
    let opens = 0;
    world.directAnswer = () => {
      opens++;
      return "mute";
    };
    const { tunnel } = await openTunnel(world, { selfCheck: { intervalMs: 1_000 } });
    await tunnel.listen({ address: "127.0.0.1", port: 7777 });
    await advance(5_500);
    expect(opens).toBe(1);
    await advance(2_000);
    expect(opens).toBe(2);
  });

  it("fires no event for a probe whose connection was lost", async () => {
    const world = new World();
    world.directAnswer = () => "mute";
    const { tunnel } = await openTunnel(world, { selfCheck: { intervalMs: 1_000 } });
    await tunnel.listen({ port: 7777 });
    let seen = 0;
    tunnel.addEventListener("selfcheck", () => seen++);
    await advance(1_000);
    world.link.cut();
    await turns();
    world.directAnswer = () => "own";
    await advance(5_000);
    expect(seen).toBe(0);
    await advance(1_000);
    expect(seen).toBe(1);
  });
});
