/** Visitors: the program decides, the target is dialled, and the two are connected. */
import { rejection, turns } from "@postern/testkit";
import { type Bytes, ChannelClose, ChannelData, ChannelEof, OpenFailureReason, SshError, utf8 } from "@postern/wire";
import { describe, expect, it } from "vitest";
import { confirmation, forwarded, nothing, refusal } from "./rig.ts";

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
    if (taken) await confirmation(rig);
    else
      expect(await refusal(rig)).toEqual(
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
      await confirmation(rig);
    }
    rig.visit("localhost", 80, 3);
    expect((await refusal(rig)).reason).toBe(OpenFailureReason.RESOURCE_SHORTAGE);
    expect(errors).toEqual([expect.objectContaining({ code: "limit" })]);
    await forwarding[Symbol.asyncIterator]().next();
    rig.visit("localhost", 80, 4);
    await confirmation(rig);
    expect(forwarding.stats()).toMatchObject({ accepted: 3, refused: 1 });
    rig.server.abort();
  });

  it("is 1024 by default", async () => {
    const { rig, forwarding } = await forwarded({ port: 80 });
    for (let number = 0; number <= 1024; number++) rig.visit("localhost", 80, number);
    expect((await refusal(rig)).reason).toBe(OpenFailureReason.RESOURCE_SHORTAGE);
    expect(forwarding.stats()).toMatchObject({ accepted: 1024, refused: 1 });
    rig.server.abort();
  });
});

describe("a forwarding with a target", () => {
  const target = { host: "127.0.0.1", port: 3000 };

  it("dials the target before it accepts the visitor, and connects the two with half-close both ways", async () => {
    const { rig } = await forwarded({ port: 80, target });
    const heard: string[] = [];
    rig.visit("localhost", 80);
    const ours = await confirmation(rig);
    expect(rig.dialled).toEqual([target]);
    const [pipe] = rig.targets;
    pipe?.start({
      data: (chunk) => void heard.push(String.fromCharCode(...chunk)),
      end: () => void heard.push("end"),
      drain() {},
      closed: (error) => void heard.push(`closed ${error === undefined}`),
    });
    rig.server.send(
      ChannelData.encode({ recipientChannel: ours, data: utf8("question") }),
      ChannelEof.encode({ recipientChannel: ours }),
    );
    await turns();
    expect(heard).toEqual(["question", "end"]);
    pipe?.write(utf8("answer"));
    pipe?.end();
    expect(ChannelData.decode(await rig.server.until(ChannelData.number)).data).toEqual(utf8("answer"));
    await rig.server.until(ChannelEof.number);
    rig.server.send(ChannelClose.encode({ recipientChannel: ours }));
    await rig.server.until(ChannelClose.number);
    await turns();
    expect(heard).toEqual(["question", "end", "closed true"]);
    rig.server.abort();
  });

  it("refuses the visitor with reason 2 if the target cannot be reached, and stays open", async () => {
    const { rig, forwarding } = await forwarded({ port: 80, target });
    const errors: unknown[] = [];
    rig.tunnel.addEventListener(
      "visitorerror",
      (event) => void errors.push([event.forwarding === forwarding, event.origin, event.error]),
    );
    const refused = new SshError("connect", "expected a connection to 127.0.0.1:3000, got ECONNREFUSED");
    rig.onTarget = () => Promise.reject(refused);
    rig.visit("localhost", 80);
    expect(await refusal(rig)).toMatchObject({ reason: OpenFailureReason.CONNECT_FAILED });
    await turns();
    expect(errors).toEqual([[true, { host: "192.0.2.7", port: 4242 }, refused]]);
    rig.onTarget = async () => {};
    rig.visit("localhost", 80);
    await confirmation(rig);
    rig.server.abort();
  });

  it("closes the channel without EOF if the target breaks, and resets the target if the visitor breaks", async () => {
    const { rig } = await forwarded({ port: 80, target });
    rig.visit("localhost", 80);
    await confirmation(rig);
    rig.targets[0]?.abort(new Error("reset"));
    const numbers: number[] = [];
    for (let payload: Bytes | undefined = nothing; payload !== undefined && payload[0] !== ChannelClose.number; ) {
      payload = await rig.server.next();
      numbers.push(payload?.[0] ?? -1);
    }
    expect(numbers).toEqual([ChannelClose.number]);
    rig.visit("localhost", 80);
    await confirmation(rig);
    const closed = new Promise((resolve) =>
      rig.targets[1]?.start({ data() {}, end() {}, drain() {}, closed: resolve }),
    );
    rig.server.abort();
    expect(await closed).toBeInstanceOf(Error);
  });

  it("aborts a dial in progress when the connection is lost", async () => {
    const { rig } = await forwarded({ port: 80, target });
    const aborted = new Promise<unknown>((resolve) => {
      rig.onTarget = (_target, signal) =>
        new Promise<void>((_, reject) =>
          signal?.addEventListener("abort", () => {
            resolve(signal.reason);
            reject(new SshError("aborted", "…"));
          }),
        );
    });
    rig.visit("localhost", 80);
    await turns();
    rig.server.abort();
    expect(await aborted).toBeInstanceOf(SshError);
  });
});
