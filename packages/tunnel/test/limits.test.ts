/** Limits of a forwarding, retries of its target, and the header that names the visitor. */
import type { BytePipe } from "@postern/ssh";
import { readToEnd, received, rejection, turns } from "@postern/testkit";
import { ChannelClose, ChannelData, OpenFailureReason, SshError, utf8 } from "@postern/wire";
import { describe, expect, it } from "vitest";
import type { ForwardingLimits } from "../src/index.ts";
import { advance, forwarded, onVirtualClock, openTunnel, Rig, request, target, World } from "./world/index.ts";

onVirtualClock();

/** Returns the far ends of the target's connections. */
function pipesOf({ world }: Rig): BytePipe[] {
  const pipes: BytePipe[] = [];
  world.targets.set("target:80", (pipe) => void pipes.push(pipe));
  return pipes;
}

describe("limits.connections", () => {
  it("refuses a visitor that would exceed it, and lets one in when another has left", async () => {
    const { rig, forwarding } = await forwarded({ port: 80, limits: { connections: 2 } });
    const errors: unknown[] = [];
    rig.tunnel.addEventListener("visitorerror", ({ error }) => void errors.push(error));
    rig.visit("localhost", 80, 1);
    const first = await rig.confirmation();
    rig.visit("localhost", 80, 2);
    await rig.confirmation();
    rig.visit("localhost", 80, 3);
    expect((await rig.refusal()).reason).toBe(OpenFailureReason.RESOURCE_SHORTAGE);
    expect(errors).toEqual([expect.objectContaining({ code: "limit" })]);
    expect(forwarding.stats()).toMatchObject({ open: 2, accepted: 2, refused: 1 });
    const { value } = await forwarding[Symbol.asyncIterator]().next();
    value?.close();
    rig.server.send(ChannelClose.encode({ recipientChannel: first }));
    await rig.server.until(ChannelClose.number);
    rig.visit("localhost", 80, 4);
    await rig.confirmation();
    expect(forwarding.stats()).toMatchObject({ open: 2, accepted: 3, refused: 1 });
    rig.server.abort();
  });

  it("counts visitors whose target is still dialled", async () => {
    const { rig, forwarding } = await forwarded({ port: 80, target, limits: { connections: 3 } });
    rig.world.targets.set("target:80", "hang");
    for (let number = 0; number < 1000; number++) rig.visit("localhost", 80, number);
    await turns();
    expect(rig.world.dialling).toBe(3);
    expect(forwarding.stats()).toMatchObject({ open: 0, refused: 997 });
    rig.server.abort();
    await turns();
    expect(rig.world.dialling).toBe(0);
  });

  it("calls onOpen only for visitors that it has room for", async () => {
    let calls = 0;
    const { rig } = await forwarded({ port: 80, limits: { connections: 1 }, onOpen: () => ++calls > 0 });
    rig.visit("localhost", 80, 1);
    await rig.confirmation();
    rig.visit("localhost", 80, 2);
    await rig.refusal();
    expect(calls).toBe(1);
    rig.server.abort();
  });
});

describe("limits of time", () => {
  it("disconnects a visitor and its target after idleTimeoutMs without a byte in either direction", async () => {
    const { rig, forwarding } = await forwarded({ port: 80, target, limits: { idleTimeoutMs: 1000 } });
    const pipes = pipesOf(rig);
    rig.visit("localhost", 80);
    const ours = await rig.confirmation();
    const heard = received(pipes[0] as BytePipe);
    for (let i = 0; i < 5; i++) {
      await advance(800);
      rig.server.send(ChannelData.encode({ recipientChannel: ours, data: utf8("x") }));
      await advance(800);
      pipes[0]?.write(utf8("y"));
    }
    expect(forwarding.stats().open).toBe(1);
    await advance(1200);
    await rig.server.until(ChannelClose.number);
    rig.server.send(ChannelClose.encode({ recipientChannel: ours }));
    await turns();
    expect(heard).toMatchObject({ text: "xxxxx", closed: true, error: { cause: { code: "timeout" } } });
    expect(forwarding.stats()).toMatchObject({ open: 0, bytesIn: 5, bytesOut: 5 });
    rig.server.abort();
  });

  it("disconnects a busy visitor after lifetimeMs, also without a target", async () => {
    const { rig, forwarding } = await forwarded({ port: 80, limits: { lifetimeMs: 1000 } });
    rig.visit("localhost", 80);
    const ours = await rig.confirmation();
    const { value } = await forwarding[Symbol.asyncIterator]().next();
    const end = readToEnd(value as BytePipe);
    for (let i = 0; i < 12; i++) {
      await advance(100);
      rig.server.send(ChannelData.encode({ recipientChannel: ours, data: utf8("x") }));
    }
    await rig.server.until(ChannelClose.number);
    rig.server.send(ChannelClose.encode({ recipientChannel: ours }));
    expect((await end).error).toMatchObject({ code: "timeout" });
    rig.server.abort();
  });
});

describe("limits.bytesPerSecond", () => {
  it("lets bytes pass both ways at that rate, shared by all visitors, and loses none", async () => {
    const rate = 10_000;
    const world = new World();
    const pipes = await tunnelWith(world, { bytesPerSecond: rate });
    const visitors = await Promise.all([world.visit(8080), world.visit(8080)]);
    const down = visitors.map((visitor) => received(visitor));
    const up = pipes.map((pipe) => received(pipe));
    const chunk = new Uint8Array(5_000).fill(0x61);
    for (const pipe of [...visitors, ...pipes]) for (let i = 0; i < 4; i++) pipe.write(chunk);
    const bytes = (all: typeof up): number => all.reduce((sum, { text }) => sum + text.length, 0);
    await advance(2_000);
    // The rate, the burst of a quarter of a second, and one chunk of each visitor.
    for (const all of [up, down]) {
      expect(bytes(all)).toBeGreaterThanOrEqual(1.5 * rate);
      expect(bytes(all)).toBeLessThanOrEqual(2.25 * rate + 2 * chunk.length);
    }
    await advance(5_000);
    expect([bytes(up), bytes(down)]).toEqual([40_000, 40_000]);
  });

  it("ends each direction only after its bytes", async () => {
    const world = new World();
    const pipes = await tunnelWith(world, { bytesPerSecond: 1000 });
    const visitor = await world.visit(8080);
    const up = received(pipes[0] as BytePipe);
    visitor.write(new Uint8Array(3000).fill(0x61));
    visitor.write(new Uint8Array(3000).fill(0x62));
    visitor.end();
    await advance(10_000);
    expect(up).toMatchObject({ ended: true });
    expect(up.text).toHaveLength(6000);
  });

  it("counts a visitor that has left until its target has taken its bytes, and no longer than the forwarding", async () => {
    const world = new World();
    const { tunnel } = await openTunnel(world);
    world.targets.set("target:80", (pipe) => void received(pipe));
    const limits = { connections: 1, bytesPerSecond: 1000 };
    const forwarding = await tunnel.forward({ port: 8080, target, limits });
    const visitor = await world.visit(8080);
    for (let i = 0; i < 4; i++) visitor.write(new Uint8Array(1000).fill(0x61));
    visitor.close();
    await advance(100);
    expect(forwarding.stats()).toMatchObject({ accepted: 1 });
    await expect(world.visit(8080)).rejects.toMatchObject({ code: "refused" });
    await advance(10_000);
    const next = await world.visit(8080);
    for (let i = 0; i < 100; i++) next.write(new Uint8Array(1000).fill(0x61));
    next.close();
    await advance(100);
    await tunnel.close();
    // `onVirtualClock` checks that no timer is left.
  });

  it("refuses new visitors while earlier bytes exceed the rate by a second, and recovers", async () => {
    const world = new World();
    await tunnelWith(world, { bytesPerSecond: 10_000 });
    const visitors = await Promise.all([1, 2, 3].map(() => world.visit(8080)));
    for (const visitor of visitors) visitor.write(new Uint8Array(10_000).fill(0x61));
    await advance(10);
    await expect(world.visit(8080)).rejects.toMatchObject({ code: "refused" });
    await advance(3_000);
    await world.visit(8080);
  });

  it("is refused without a target, because the program reads the channels itself", async () => {
    const rig = await new Rig().logIn();
    const error = await rejection(request(rig.tunnel, { port: 80, limits: { bytesPerSecond: 1 } }));
    expect(error).toMatchObject({ code: "misuse", message: expect.stringContaining("limits.bytesPerSecond") });
    rig.server.abort();
  });
});

async function tunnelWith(world: World, limits: ForwardingLimits): Promise<readonly BytePipe[]> {
  const { tunnel } = await openTunnel(world);
  const pipes: BytePipe[] = [];
  world.targets.set("target:80", (pipe) => void pipes.push(pipe));
  await tunnel.forward({ port: 8080, target, limits });
  return pipes;
}

describe("targetRetryMs", () => {
  it("dials a target that restarts again, and connects the visitor", async () => {
    const { rig, forwarding } = await forwarded({ port: 80, target, targetRetryMs: 1000 });
    rig.world.targets.set("target:80", "refuse");
    rig.visit("localhost", 80);
    await advance(500);
    pipesOf(rig);
    await advance(200);
    await rig.confirmation();
    expect(forwarding.stats()).toMatchObject({ accepted: 1, refused: 0 });
    rig.server.abort();
  });

  it("refuses the visitor once the time is over", async () => {
    const { rig } = await forwarded({ port: 80, target, targetRetryMs: 1000 });
    rig.world.targets.set("target:80", "refuse");
    rig.visit("localhost", 80);
    await advance(999);
    expect(rig.world.dials.filter((dial) => dial === "target:80").length).toBeGreaterThan(3);
    await advance(201);
    expect((await rig.refusal()).reason).toBe(OpenFailureReason.CONNECT_FAILED);
    const { length } = rig.world.dials;
    await advance(1000);
    expect(rig.world.dials).toHaveLength(length);
    rig.server.abort();
  });

  it("leaves no timer behind when the connection is lost meanwhile", async () => {
    const { rig } = await forwarded({ port: 80, target, targetRetryMs: 60_000 });
    rig.world.targets.set("target:80", "refuse");
    rig.visit("localhost", 80);
    await turns();
    rig.server.abort();
    await turns();
    const { length } = rig.world.dials;
    await advance(10_000);
    expect(rig.world.dials).toHaveLength(length);
  });
});

describe("proxyProtocol", () => {
  it("sends the header before the first byte of the visitor", async () => {
    const { rig } = await forwarded({ address: "127.0.0.1", port: 80, target, proxyProtocol: 1 });
    const pipes = pipesOf(rig);
    rig.visit("127.0.0.1", 80);
    const ours = await rig.confirmation();
    const heard = received(pipes[0] as BytePipe);
    rig.server.send(ChannelData.encode({ recipientChannel: ours, data: utf8("hello") }));
    await turns();
    expect(heard.text).toBe("PROXY TCP4 192.0.2.7 127.0.0.1 4242 80\r\nhello");
    rig.server.abort();
  });
});

describe("options of visitors", () => {
  it.each([
    [{ proxyProtocol: 3 }, /expected proxyProtocol to be 1 or 2, got 3/],
    [{ proxyProtocol: "1" }, /expected proxyProtocol to be 1 or 2, got a string/],
    [{ limits: { connections: 0 } }, /limits\.connections/],
    [{ limits: { connections: 1.5 } }, /limits\.connections/],
    [{ limits: { bytesPerSecond: -1 } }, /limits\.bytesPerSecond/],
    [{ limits: { idleTimeoutMs: "5" } }, /limits\.idleTimeoutMs/],
    [{ limits: { lifetimeMs: 0 } }, /limits\.lifetimeMs/],
    [{ limits: { connection: 1 } }, /connection/],
    [{ targetRetryMs: -1 }, /targetRetryMs/],
    [{ target: { ...target, tls: true } }, /tls/],
    [{ target: { ...target, host: 5 } }, /target\.host/],
  ])("are checked: %j", async (options, message) => {
    const rig = await new Rig().logIn();
    const error = await rejection(request(rig.tunnel, { port: 80, target, ...(options as object) }));
    expect(error).toBeInstanceOf(SshError);
    expect(error).toMatchObject({ code: "misuse", message: expect.stringMatching(message) });
    rig.server.abort();
  });

  it("are refused on a platform without visitorFeatures, which would ignore them", async () => {
    const world = Object.assign(new World(), { visitorFeatures: undefined });
    const { tunnel } = await openTunnel(world);
    expect(await rejection(tunnel.forward({ port: 80, target, proxyProtocol: 1 }))).toMatchObject({ code: "misuse" });
  });
});
