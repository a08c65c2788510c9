/** onOpen that decides late, never, or after the visitor has left or the forwarding has closed. */
import type { Channel } from "@postern/ssh";
import { echo, received, turns } from "@postern/testkit";
import { OpenFailureReason } from "@postern/wire";
import { describe, expect, it, vi } from "vitest";
import type { Forwarding, ReverseTunnel } from "../src/index.ts";
import { advance, onVirtualClock, openTunnel, outcome, request, target, World } from "./world/index.ts";

onVirtualClock();

const never = (): Promise<boolean> => new Promise(() => {});

describe("an onOpen that does not settle", () => {
  it.each([
    ["30 s by default", {}, 30_000],
    ["onOpenTimeoutMs", { onOpenTimeoutMs: 2_000 }, 2_000],
  ])("refuses the visitor after %s, and fires visitorerror", async (_, options, timeoutMs) => {
    const world = new World();
    const { tunnel } = await openTunnel(world);
    const errors: unknown[] = [];
    tunnel.addEventListener("visitorerror", ({ error, origin }) => void errors.push([error, origin.host]));
    const forwarding = await tunnel.listen({ port: 7777, onOpen: never, ...options });
    const visit = world.visit(7777);
    visit.catch(() => {});
    await advance(timeoutMs - 1);
    expect(await outcome(visit)).toBe("unsettled");
    await advance(1);
    await expect(visit).rejects.toMatchObject({
      code: "refused",
      reason: OpenFailureReason.ADMINISTRATIVELY_PROHIBITED,
    });
    expect(errors).toEqual([[expect.objectContaining({ name: "SshError", code: "timeout" }), "192.0.2.99"]]);
    expect(forwarding.stats()).toMatchObject({ accepted: 0, open: 0, refused: 1 });
  });

  it.each([
    ["true", (resolve: (taken: boolean) => void) => resolve(true)],
    ["an error", (_: unknown, reject: (error: Error) => void) => reject(new Error("late"))],
  ])("ignores %s after that", async (_, answer) => {
    const world = new World();
    world.targets.set("target:80", echo);
    const { tunnel } = await openTunnel(world);
    let errors = 0;
    tunnel.addEventListener("visitorerror", () => void errors++);
    let late: () => void = () => {};
    const onOpen = (): Promise<boolean> =>
      new Promise((resolve, reject) => {
        late = () => answer(resolve, reject);
      });
    const forwarding = await tunnel.forward({ port: 7777, target, onOpen });
    const visit = outcome(world.visit(7777));
    await advance(30_000);
    late();
    await turns();
    await visit;
    expect(world.dials).not.toContain("target:80");
    expect(errors).toBe(1);
    expect(forwarding.stats()).toMatchObject({ accepted: 0, open: 0, refused: 1 });
  });

  it("delays a drain by no more than onOpenTimeoutMs", async () => {
    const world = new World();
    const { tunnel } = await openTunnel(world);
    await tunnel.listen({ port: 7777, onOpen: never, onOpenTimeoutMs: 2_000 });
    world.visit(7777).catch(() => {});
    await turns();
    const drained = tunnel.close({ drainMs: 30_000 });
    await advance(1_999);
    expect(await outcome(drained)).toBe("unsettled");
    await advance(1);
    expect(await outcome(drained)).toBe("resolved");
  });

  it("leaves no timer behind when the tunnel ends", async () => {
    const world = new World();
    const { tunnel } = await openTunnel(world);
    await tunnel.listen({ port: 7777, onOpen: never });
    await turns();
    const before = vi.getTimerCount();
    world.visit(7777).catch(() => {});
    await turns();
    expect(vi.getTimerCount()).toBe(before + 1);
    await tunnel.close();
    await turns();
    expect(vi.getTimerCount()).toBeLessThan(before + 1);
  });
});

describe("a visitor that was accepted during a probe, before the decision", () => {
  /** A forwarding, and the visitor's end of a channel whose decision is pending. */
  async function probed(
    options: object,
  ): Promise<{ world: World; tunnel: ReverseTunnel; forwarding: Forwarding; visitor: Channel }> {
    const world = new World();
    world.targets.set("target:80", "hang");
    const { tunnel } = await openTunnel(world);
    const forwarding = await request(tunnel, { address: "127.0.0.1", port: 7777, ...options });
    world.directAnswer = () => "hang";
    const stop = new AbortController();
    const probe = outcome(forwarding.probe({ signal: stop.signal }));
    const visitor = await world.visit(7777, { address: "127.0.0.1" });
    stop.abort();
    await probe;
    return { world, tunnel, forwarding, visitor };
  }

  it.each([
    ["onOpen decides", { onOpen: never, onOpenTimeoutMs: Number.POSITIVE_INFINITY }],
    ["the target is dialled", { target }],
  ])("does not delay a drain after it has left while %s", async (_, options) => {
    const { world, tunnel, forwarding, visitor } = await probed(options);
    const drained = tunnel.close({ drainMs: 30_000 });
    expect(await outcome(drained)).toBe("unsettled");
    visitor.abort();
    await turns();
    expect(world.dialling).toBe(0);
    expect(forwarding.stats()).toMatchObject({ accepted: 0, open: 0, refused: 0 });
    expect(await outcome(drained)).toBe("resolved");
  });

  it("is served after leaving if it has sent data", async () => {
    const decided: ((taken: boolean) => void)[] = [];
    const { world, visitor } = await probed({
      target,
      onOpen: () => new Promise((resolve) => decided.push(resolve)),
    });
    const got: ReturnType<typeof received>[] = [];
    world.targets.set("target:80", (pipe) => void got.push(received(pipe)));
    visitor.write(new TextEncoder().encode("a message"));
    visitor.close();
    await turns();
    decided[0]?.(true);
    await turns();
    expect(got[0]).toMatchObject({ text: "a message", ended: true });
  });
});

describe("a forwarding that is closed during onOpen", () => {
  it("refuses the visitor if its loops have ended", async () => {
    const world = new World();
    const { tunnel } = await openTunnel(world);
    let decide: (taken: boolean) => void = () => {};
    const onOpen = (): Promise<boolean> =>
      new Promise((resolve) => {
        decide = resolve;
      });
    const forwarding = await tunnel.listen({ port: 7777, onOpen });
    const loop = (async () => {
      for await (const channel of forwarding) channel.close();
    })();
    const visit = world.visit(7777);
    await turns();
    await forwarding.close();
    await loop;
    decide(true);
    expect(await outcome(visit)).toBe("refused");
    expect(forwarding.stats()).toMatchObject({ accepted: 0, open: 0, refused: 1 });
    expect(await outcome(tunnel.close({ drainMs: 30_000 }))).toBe("resolved");
  });

  it("still connects the visitor to the target", async () => {
    const world = new World();
    world.targets.set("target:80", echo);
    const { tunnel } = await openTunnel(world);
    let decide: (taken: boolean) => void = () => {};
    const onOpen = (): Promise<boolean> =>
      new Promise((resolve) => {
        decide = resolve;
      });
    const forwarding = await tunnel.forward({ port: 7777, target, onOpen });
    const visit = world.visit(7777);
    await turns();
    await forwarding.close();
    decide(true);
    const visitor = await visit;
    const answer = received(visitor);
    visitor.write(new TextEncoder().encode("hello"));
    await turns();
    expect(answer.text).toBe("hello");
  });
});

describe("a target whose pipe cannot be started", () => {
  it("closes the visitor's channel", async () => {
    const world = new World();
    const { dial } = world;
    // A program's own dial may return a pipe that has been started.
    world.dial = (to, timeoutMs, connected, failed) =>
      dial(
        to,
        timeoutMs,
        (pipe) => {
          if (to.host === "target") pipe.start({ data() {}, end() {}, drain() {}, closed() {} });
          connected(pipe);
        },
        failed,
      );
    world.targets.set("target:80", echo);
    const { tunnel } = await openTunnel(world);
    const forwarding = await tunnel.forward({ port: 7777, target });
    const visitor = await world.visit(7777);
    expect(await outcome(visitor.closed)).toBe("resolved");
    expect(forwarding.stats().open).toBe(0);
  });
});
