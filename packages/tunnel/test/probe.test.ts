/** probe() and selfCheck: whether the host's port is ours, by connecting to it through the host. */
import { describe, expect, it, vi } from "vitest";
import type { ProbeAnswer, SelfCheckEvent } from "../src/index.ts";
import {
  advance,
  type DirectAnswer,
  echo,
  HostWorld,
  heard,
  onVirtualClock,
  openTunnel,
  outcome,
  settle,
  target,
} from "./host-world.ts";

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
  ])("of a listener on %j asks at %j", async (address, asked) => {
    const world = new HostWorld();
    const { tunnel } = await openTunnel(world);
    const forwarding = await tunnel.listen({ address, port: 7777 });
    const { ok, answers } = await forwarding.probe();
    expect([...answers]).toEqual(asked.map((host) => [host, "ours"]));
    expect(ok).toBe(true);
    expect(forwarding.stats()).toMatchObject({ accepted: 0, open: 0, refused: 0, bytesIn: 0 });
  });

  it.each([
    ["half bound", ["own", "closed"], ["ours", "closed"], false],
    ["half somebody else's", ["foreign", "own"], ["foreign", "ours"], false],
    ["somebody else's", ["foreign", "foreign"], ["foreign", "foreign"], false],
    ["gone", ["closed", "closed"], ["closed", "closed"], false],
    ["not to be looked at (PermitOpen)", ["denied", "denied"], ["denied", "denied"], false],
    ["half to be looked at", ["own", "denied"], ["ours", "denied"], true],
  ] as readonly (readonly [string, readonly DirectAnswer[], readonly ProbeAnswer[], boolean])[])(
    "tells a listener that is %s",
    async (_, how, expected, ok) => {
      const world = new HostWorld();
      world.directAnswer = (host) => (host === "127.0.0.1" ? how[0] : how[1]) ?? "own";
      const { tunnel } = await openTunnel(world);
      const forwarding = await tunnel.listen({ port: 7777 });
      const result = await forwarding.probe();
      expect([...result.answers.values()]).toEqual(expected);
      expect(result.ok).toBe(ok);
    },
  );

  it("takes whoever accepts and says nothing for 5 s for somebody else", async () => {
    const world = new HostWorld();
    world.directAnswer = () => "mute";
    const { tunnel } = await openTunnel(world);
    const forwarding = await tunnel.listen({ address: "127.0.0.1", port: 7777 });
    const probe = forwarding.probe();
    await advance(4_999);
    expect(await outcome(probe)).toBe("unsettled");
    await advance(1);
    expect((await probe).answers.get("127.0.0.1")).toBe("foreign");
  });

  it("takes a connection that the host does not make within 5 s for nobody listening", async () => {
    const world = new HostWorld();
    world.directAnswer = () => "hang";
    const { tunnel } = await openTunnel(world);
    const forwarding = await tunnel.listen({ address: "127.0.0.1", port: 7777 });
    const probe = forwarding.probe();
    await advance(5_000);
    expect((await probe).answers.get("127.0.0.1")).toBe("closed");
  });

  it("is not for a forwarding that is pending or closed", async () => {
    const world = new HostWorld();
    const { tunnel } = await openTunnel(world);
    const forwarding = await tunnel.listen({ port: 7777 });
    world.link.cut();
    await settle();
    expect(await outcome(forwarding.probe())).toBe("closed");
    await forwarding.close();
    expect(await outcome(forwarding.probe())).toBe("closed");
  });

  it.each(["hang", "mute"] as const)(
    "rejects when the connection is lost meanwhile (%s): nobody else was there",
    async (how) => {
      const world = new HostWorld();
      world.directAnswer = () => how;
      const { tunnel } = await openTunnel(world);
      const forwarding = await tunnel.listen({ port: 7777 });
      const probe = forwarding.probe();
      await settle();
      world.link.cut();
      expect(await outcome(probe)).toBe("closed");
    },
  );

  it("rejects when the host disconnects meanwhile, whatever the reason code", async () => {
    const world = new HostWorld();
    world.directAnswer = () => "hang";
    const { tunnel } = await openTunnel(world);
    const forwarding = await tunnel.listen({ port: 7777 });
    const probe = forwarding.probe();
    await settle();
    void world.link.connection.close();
    expect(await outcome(probe)).toBe("disconnected");
  });

  it.each(["hang", "mute"] as const)("is ended by its signal at once (%s)", async (how) => {
    const world = new HostWorld();
    world.directAnswer = () => how;
    const { tunnel } = await openTunnel(world);
    const forwarding = await tunnel.listen({ port: 7777 });
    const controller = new AbortController();
    const before = vi.getTimerCount();
    const probe = forwarding.probe({ signal: controller.signal });
    await settle();
    controller.abort();
    expect(await outcome(probe)).toBe("AbortError");
    expect(vi.getTimerCount()).toBe(before);
  });

  it("is ended by a signal that has fired before, and asks the host for nothing", async () => {
    const world = new HostWorld();
    let looked = 0;
    world.directAnswer = () => {
      looked++;
      return "own";
    };
    const { tunnel } = await openTunnel(world);
    const forwarding = await tunnel.listen({ port: 7777 });
    expect(await outcome(forwarding.probe({ signal: AbortSignal.abort() }))).toBe("AbortError");
    expect(looked).toBe(0);
  });

  it("may be called often at once", async () => {
    const world = new HostWorld();
    const { tunnel } = await openTunnel(world);
    const forwarding = await tunnel.listen({ port: 7777 });
    const results = await Promise.all(Array.from({ length: 10 }, () => forwarding.probe()));
    expect(results.map(({ ok }) => ok)).toEqual(Array(10).fill(true));
  });
});

describe("a visitor who comes during a probe", () => {
  it("and speaks is served, with every byte", async () => {
    const world = new HostWorld();
    world.targets.set("target:80", echo);
    world.directAnswer = (host) => (host === "::1" ? "mute" : "own");
    const { tunnel } = await openTunnel(world);
    const forwarding = await tunnel.forward({ port: 7777, target });
    const probe = forwarding.probe();
    await settle();
    const visitor = await world.visit(7777);
    const answer = heard(visitor);
    const text = "x".repeat(100);
    visitor.write(new TextEncoder().encode(text));
    await settle();
    expect(answer.text).toBe(text);
    expect(await outcome(probe)).toBe("unsettled");
    await advance(5_000);
    expect((await probe).answers.get("127.0.0.1")).toBe("ours");
  });

  it("and says nothing until spoken to is served when the probe is over", async () => {
    const world = new HostWorld();
    world.targets.set("target:80", (pipe) => {
      echo(pipe);
      pipe.write(new TextEncoder().encode("220 ready"));
    });
    world.directAnswer = () => "mute";
    const { tunnel } = await openTunnel(world);
    const forwarding = await tunnel.forward({ port: 7777, target });
    const probe = forwarding.probe();
    await settle();
    const visitor = await world.visit(7777);
    const answer = heard(visitor);
    await advance(4_999);
    expect(answer.text).toBe("");
    await advance(1);
    expect(answer.text).toBe("220 ready");
    expect((await probe).ok).toBe(false);
    visitor.write(hello());
    await settle();
    expect(answer.text).toBe("220 readyhello");
    expect(forwarding.stats()).toMatchObject({ accepted: 1, bytesIn: 5 });
  });

  it("is held, if it sends nothing, only for the probes under way when it came", async () => {
    const world = new HostWorld();
    world.directAnswer = () => "mute";
    const { tunnel } = await openTunnel(world);
    const forwarding = await tunnel.listen({ address: "127.0.0.1", port: 7777 });
    void forwarding.probe();
    await settle();
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

  it("and leaves at once, without a word, harms nobody", async () => {
    const world = new HostWorld();
    world.directAnswer = () => "mute";
    const { tunnel } = await openTunnel(world);
    const forwarding = await tunnel.listen({ port: 7777 });
    const probe = forwarding.probe();
    await settle();
    (await world.visit(7777)).close();
    await advance(5_000);
    expect((await probe).ok).toBe(false);
    expect(forwarding.stats().open).toBe(0);
  });

  it("and whose connection is lost meanwhile is never shown to onOpen, nor to the target", async () => {
    const world = new HostWorld();
    world.targets.set("target:80", echo);
    world.directAnswer = () => "mute";
    const { tunnel } = await openTunnel(world);
    let asked = 0;
    const onOpen = (): boolean => ++asked > 0;
    const forwarding = await tunnel.forward({ port: 7777, target, onOpen });
    forwarding.probe().catch(() => {});
    await settle();
    await world.visit(7777);
    world.link.cut();
    await advance(10_000);
    expect(asked).toBe(0);
    expect(world.dials).not.toContain("target:80");
  });

  it("is asked about with onOpen all the same, and our own probe is not", async () => {
    const world = new HostWorld();
    world.directAnswer = (host) => (host === "::1" ? "mute" : "own");
    const { tunnel } = await openTunnel(world);
    const asked: string[] = [];
    const onOpen = ({ origin }: { readonly origin: { readonly host: string } }): boolean => {
      asked.push(origin.host);
      return false;
    };
    const forwarding = await tunnel.listen({ port: 7777, onOpen });
    const probe = forwarding.probe();
    await settle();
    const visitor = await world.visit(7777);
    const answer = heard(visitor);
    visitor.write(new Uint8Array(64));
    await settle();
    expect(answer.closed).toBe(true);
    expect(asked).toEqual(["192.0.2.99"]);
    await advance(5_000);
    expect((await probe).answers.get("127.0.0.1")).toBe("ours");
    expect(forwarding.stats()).toMatchObject({ accepted: 0, refused: 1 });
  });
});

describe("selfCheck", () => {
  it("is off by default", async () => {
    const world = new HostWorld();
    const { tunnel } = await openTunnel(world);
    await tunnel.listen({ port: 7777 });
    let looked = 0;
    world.directAnswer = () => {
      looked++;
      return "own";
    };
    await advance(3_600_000 / 2);
    expect(looked).toBe(0);
  });

  it("probes every open forwarding each intervalMs, and tells the event `selfcheck`", async () => {
    const world = new HostWorld();
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

  it("pauses while the connection is down, goes on after, and ends with the tunnel", async () => {
    const world = new HostWorld();
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

  it("makes one round at a time, however short the interval", async () => {
    const world = new HostWorld();
    let looked = 0;
    world.directAnswer = () => {
      looked++;
      return "mute";
    };
    const { tunnel } = await openTunnel(world, { selfCheck: { intervalMs: 1_000 } });
    await tunnel.listen({ address: "127.0.0.1", port: 7777 });
    await advance(5_500);
    expect(looked).toBe(1);
    await advance(2_000);
    expect(looked).toBe(2);
  });

  it("tells nothing of a probe that the connection was lost under", async () => {
    const world = new HostWorld();
    world.directAnswer = () => "mute";
    const { tunnel } = await openTunnel(world, { selfCheck: { intervalMs: 1_000 } });
    await tunnel.listen({ port: 7777 });
    let seen = 0;
    tunnel.addEventListener("selfcheck", () => seen++);
    await advance(1_000);
    world.link.cut();
    await settle();
    world.directAnswer = () => "own";
    await advance(5_000);
    expect(seen).toBe(0);
    await advance(1_000);
    expect(seen).toBe(1);
  });
});
