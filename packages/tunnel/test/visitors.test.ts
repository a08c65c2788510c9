/** Visitors: the program decides, the target is dialled, and the two are connected. */
import type { BytePipe } from "@postern/ssh";
import { readToEnd, received, rejection, turns } from "@postern/testkit";
import { type Bytes, ChannelClose, ChannelData, ChannelEof, OpenFailureReason, SshError, utf8 } from "@postern/wire";
import { describe, expect, it } from "vitest";
import { forwarded, nothing, onVirtualClock, type Rig, target } from "./world/index.ts";

onVirtualClock();

describe("onOpen", () => {
  const fail = (): never => {
    throw new TypeError("of the program");
  };
  it.each([
    ["true", () => true, true],
    ["a promise of true", async () => true, true],
    ["false", () => false, false],
    ["a promise of false", async () => false, false],
    ["nothing", () => undefined as unknown as boolean, false],
    ["something that is not true", () => 1 as unknown as boolean, false],
    ["an error", fail, false],
    ["a rejection", () => Promise.reject(new TypeError("of the program")), false],
  ])("that returns %s decides", async (what, onOpen, taken) => {
    const seen: unknown[] = [];
    const errors: unknown[] = [];
    const { rig } = await forwarded({
      address: "::1",
      port: 80,
      onOpen(request) {
        seen.push(request);
        return onOpen();
      },
    });
    rig.tunnel.addEventListener("visitorerror", ({ error }) => void errors.push(error));
    rig.visit("::1", 80);
    if (taken) await rig.confirmation();
    else
      expect(await rig.refusal()).toEqual(
        expect.objectContaining({ reason: OpenFailureReason.ADMINISTRATIVELY_PROHIBITED, description: "refused" }),
      );
    expect(seen).toEqual([
      { channelId: expect.any(Number), origin: { host: "192.0.2.7", port: 4242 }, address: "::1", port: 80 },
    ]);
    expect(errors).toHaveLength(/error|rejection/.test(what) ? 1 : 0);
    expect(rig.tunnel.state).toBe("open");
    rig.server.abort();
  });

  it("gets the origin in printable characters, at most 255", async () => {
    const seen: string[] = [];
    const { rig } = await forwarded({ port: 80, onOpen: ({ origin }) => seen.push(origin.host) > 2 });
    for (const host of ["\u001b[2J\u202e", "x".repeat(30_000)]) {
      rig.visit("localhost", 80, seen.length, { originAddress: host, originPort: 1 });
    }
    await turns();
    expect(seen).toEqual(["\\u{1b}[2J\\u{202e}", "x".repeat(255)]);
    rig.server.abort();
    await rejection(rig.tunnel.closed);
  });

  it("has no effect if it decides after the connection was lost", async () => {
    let decide: (taken: boolean) => void = () => {};
    const { rig, forwarding } = await forwarded({
      port: 80,
      onOpen: () => new Promise<boolean>((resolve) => (decide = resolve)),
    });
    const errors: unknown[] = [];
    rig.tunnel.addEventListener("visitorerror", ({ error }) => void errors.push(error));
    rig.visit("localhost", 80);
    await turns();
    rig.server.abort();
    await rejection(rig.tunnel.closed);
    decide(true);
    await turns();
    expect(errors).toEqual([]);
    expect(forwarding.stats()).toMatchObject({ accepted: 0, open: 0, refused: 0 });
    expect(await rejection(forwarding[Symbol.asyncIterator]().next())).toBe(await rejection(rig.tunnel.closed));
  });
});

describe("the backlog", () => {
  it("limits how many visitors wait for the program, and each one taken frees a place", async () => {
    const { rig, forwarding } = await forwarded({ port: 80, backlog: 2 });
    const errors: unknown[] = [];
    rig.tunnel.addEventListener("visitorerror", ({ error }) => void errors.push(error));
    for (const number of [1, 2]) {
      rig.visit("localhost", 80, number);
      await rig.confirmation();
    }
    rig.visit("localhost", 80, 3);
    expect((await rig.refusal()).reason).toBe(OpenFailureReason.RESOURCE_SHORTAGE);
    expect(errors).toEqual([expect.objectContaining({ code: "limit" })]);
    await forwarding[Symbol.asyncIterator]().next();
    rig.visit("localhost", 80, 4);
    await rig.confirmation();
    expect(forwarding.stats()).toMatchObject({ accepted: 3, refused: 1 });
    rig.server.abort();
  });

  it("is 1024 by default", async () => {
    const { rig, forwarding } = await forwarded({ port: 80 });
    for (let number = 0; number <= 1024; number++) rig.visit("localhost", 80, number);
    expect((await rig.refusal()).reason).toBe(OpenFailureReason.RESOURCE_SHORTAGE);
    expect(forwarding.stats()).toMatchObject({ accepted: 1024, refused: 1 });
    rig.server.abort();
  });
});

/** Returns the far ends of the target's connections. */
function pipesOf({ world }: Rig): BytePipe[] {
  const pipes: BytePipe[] = [];
  world.targets.set("target:80", (pipe) => void pipes.push(pipe));
  return pipes;
}

describe("a forwarding with a target", () => {
  it("dials the target before it accepts the visitor, and connects the two with half-close both ways", async () => {
    const { rig } = await forwarded({ port: 80, target });
    const pipes = pipesOf(rig);
    rig.visit("localhost", 80);
    const ours = await rig.confirmation();
    const [pipe] = pipes as [BytePipe];
    const heard = received(pipe);
    rig.server.send(
      ChannelData.encode({ recipientChannel: ours, data: utf8("question") }),
      ChannelEof.encode({ recipientChannel: ours }),
    );
    await turns();
    expect(heard).toEqual({ text: "question", ended: true, closed: false });
    pipe.write(utf8("answer"));
    pipe.end();
    expect(ChannelData.decode(await rig.server.until(ChannelData.number)).data).toEqual(utf8("answer"));
    await rig.server.until(ChannelEof.number);
    rig.server.send(ChannelClose.encode({ recipientChannel: ours }));
    await rig.server.until(ChannelClose.number);
    await turns();
    expect(heard).toEqual({ text: "question", ended: true, closed: true, error: undefined });
    rig.server.abort();
  });

  it("refuses the visitor with reason 2 if the target cannot be reached, and stays open", async () => {
    const { rig, forwarding } = await forwarded({ port: 80, target });
    const errors: unknown[] = [];
    rig.tunnel.addEventListener(
      "visitorerror",
      (event) => void errors.push([event.forwarding === forwarding, event.origin, event.error]),
    );
    rig.world.targets.set("target:80", "refuse");
    rig.visit("localhost", 80);
    expect(await rig.refusal()).toMatchObject({ reason: OpenFailureReason.CONNECT_FAILED });
    await turns();
    expect(errors).toEqual([[true, { host: "192.0.2.7", port: 4242 }, expect.objectContaining({ code: "connect" })]]);
    pipesOf(rig);
    rig.visit("localhost", 80);
    await rig.confirmation();
    rig.server.abort();
  });

  it("closes the channel without EOF if the target breaks, and resets the target if the visitor breaks", async () => {
    const { rig } = await forwarded({ port: 80, target });
    const pipes = pipesOf(rig);
    rig.visit("localhost", 80);
    await rig.confirmation();
    pipes[0]?.abort(new Error("reset"));
    const numbers: number[] = [];
    for (let payload: Bytes | undefined = nothing; payload !== undefined && payload[0] !== ChannelClose.number; ) {
      payload = await rig.server.next();
      numbers.push(payload?.[0] ?? -1);
    }
    expect(numbers).toEqual([ChannelClose.number]);
    rig.visit("localhost", 80);
    await rig.confirmation();
    const heard = readToEnd(pipes[1] as BytePipe);
    rig.server.abort();
    expect((await heard).error).toBeInstanceOf(Error);
  });

  it("aborts a dial in progress when the connection is lost", async () => {
    const { rig } = await forwarded({ port: 80, target });
    rig.world.targets.set("target:80", "hang");
    rig.visit("localhost", 80);
    await turns();
    rig.server.abort();
    await turns();
    expect(rig.world.aborts).toEqual([expect.any(SshError)]);
  });
});
