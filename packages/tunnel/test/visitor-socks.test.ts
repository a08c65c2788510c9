/** The target `socks`: visitors name their targets, and the program decides. */

import type { Channel } from "@postern/ssh";
import { echo, readToEnd, turns } from "@postern/testkit";
import { utf8 } from "@postern/wire";
import { describe, expect, it } from "vitest";
import { createSpecialTargets, type ForwardOptions, type ReverseTunnel, type VisitorErrorEvent } from "../src/index.ts";
import { advance, onVirtualClock, openTunnel, World } from "./world/index.ts";

onVirtualClock();

const specialTargets = createSpecialTargets({ dialsPaths: false });
const request = (host: string, port: number): Uint8Array =>
  Uint8Array.of(5, 1, 0, 5, 1, 0, 3, host.length, ...utf8(host), port >> 8, port & 255);
const granted = [5, 0, 5, 0, 0, 1, 0, 0, 0, 0, 0, 0];
const replied = (reply: number): number[] => [5, 0, 5, reply, 0, 1, 0, 0, 0, 0, 0, 0];

/** Reads a channel to its end. */
async function answerTo(channel: Channel): Promise<number[]> {
  return [...utf8((await readToEnd(channel)).text)];
}

async function proxy(allow: ForwardOptions["allow"], more: Partial<ForwardOptions> = {}) {
  const world = Object.assign(new World(), { specialTargets });
  world.targets.set("web:80", (pipe) => echo(pipe));
  const { tunnel } = await openTunnel(world);
  const forwarding = await tunnel.forward({ port: 1080, target: "socks", ...(allow && { allow }), ...more });
  return { world, tunnel, forwarding, errors: errorsOf(tunnel) };
}

function errorsOf(tunnel: ReverseTunnel): { readonly code: string }[] {
  const errors: { code: string }[] = [];
  tunnel.addEventListener(
    "visitorerror",
    ({ error }: VisitorErrorEvent) => void errors.push(error as { code: string }),
  );
  return errors;
}

describe("a visitor of a SOCKS forwarding", () => {
  it("is connected to the target that it names, if allow returns true", async () => {
    const seen: unknown[] = [];
    const { world, forwarding, errors } = await proxy(async (...args) => seen.push(args) > 0);
    const channel = await world.visit(1080);
    channel.write(request("web", 80));
    channel.write(utf8("hello"));
    channel.end();
    expect(await answerTo(channel)).toEqual([...granted, ...utf8("hello")]);
    const origin = { host: "192.0.2.99", port: 4711 };
    const visitor = { channelId: expect.any(Number), origin, address: "localhost", port: 1080 };
    expect(seen).toEqual([[{ host: "web", port: 80 }, visitor]]);
    expect(world.dials.at(-1)).toBe("web:80");
    expect(errors).toEqual([]);
    await turns();
    expect(forwarding.stats()).toMatchObject({ accepted: 1, open: 0 });
  });

  it.each([
    ["false", () => false],
    ["nothing", () => undefined as unknown as boolean],
    ["a truthy value", () => "yes" as unknown as boolean],
    ["a promise of false", async () => false],
  ])("gets reply 2, not allowed, if allow returns %s (RFC 1928 section 6)", async (_, allow) => {
    const { world, errors } = await proxy(allow);
    const dials = world.dials.length;
    const channel = await world.visit(1080);
    channel.write(request("web", 80));
    expect(await answerTo(channel)).toEqual(replied(2));
    expect(errors).toMatchObject([{ code: "denied" }]);
    expect(world.dials).toHaveLength(dials);
  });

  it("is refused if allow throws or rejects, or decides too late", async () => {
    const fail = (): never => {
      throw new TypeError("of the program");
    };
    for (const allow of [fail, () => Promise.reject(new TypeError("of the program"))]) {
      const { world, errors } = await proxy(allow);
      const channel = await world.visit(1080);
      channel.write(request("web", 80));
      expect(await answerTo(channel)).toEqual(replied(1));
      expect(errors).toMatchObject([{ message: "of the program" }]);
    }
    const { world, errors } = await proxy(() => new Promise<boolean>(() => {}), { onOpenTimeoutMs: 5_000 });
    const channel = await world.visit(1080);
    channel.write(request("web", 80));
    const read = answerTo(channel);
    await advance(5_000);
    expect(await read).toEqual(replied(4));
    expect(errors).toMatchObject([{ code: "timeout" }]);
  });

  it("is dropped after ten seconds without a complete request", async () => {
    const { world, forwarding, errors } = await proxy(() => true);
    const channel = await world.visit(1080);
    channel.write(Uint8Array.of(5, 1));
    await advance(9_999);
    expect(forwarding.stats().open).toBe(1);
    await advance(1);
    expect(errors).toMatchObject([{ code: "timeout" }]);
    expect(forwarding.stats().open).toBe(0);
    await channel.closed.catch(() => {});
  });

  it("ends the dial of its target when it closes its channel", async () => {
    const { world } = await proxy(() => true);
    world.targets.set("slow:80", "hang");
    const channel = await world.visit(1080);
    channel.write(request("slow", 80));
    await turns();
    expect(world.dialling).toBe(1);
    channel.abort();
    await turns();
    expect(world.dialling).toBe(0);
  });

  it("ends with the connection, without an error of its own", async () => {
    const { world, errors } = await proxy(() => true);
    world.targets.set("slow:80", "hang");
    for (const bytes of [request("slow", 80), Uint8Array.of(5)]) (await world.visit(1080)).write(bytes);
    await turns();
    world.link.cut();
    await turns();
    expect(world.dialling).toBe(0);
    expect(errors).toEqual([]);
  });

  it("may be refused by onOpen before it is served", async () => {
    const { world } = await proxy(() => true, { onOpen: () => false });
    await expect(world.visit(1080)).rejects.toMatchObject({ code: "refused", reason: 1 });
  });
});

describe("forward", () => {
  it("requires allow with the target socks, and rejects it with another", async () => {
    const { tunnel } = await openTunnel(Object.assign(new World(), { specialTargets }));
    const misuse = { code: "misuse", message: expect.stringContaining("allow") };
    await expect(tunnel.forward({ port: 1, target: "socks" })).rejects.toMatchObject(misuse);
    const target = { host: "a", port: 1 };
    await expect(tunnel.forward({ port: 1, target, allow: () => true })).rejects.toMatchObject(misuse);
    await expect(tunnel.forward({ port: 1, target: { path: "/a" } })).rejects.toMatchObject({ code: "misuse" });
    await expect(tunnel.forward({ port: 1, target: "http" as "socks", allow: () => true })).rejects.toMatchObject({
      code: "misuse",
    });
  });
});
