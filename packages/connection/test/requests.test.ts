/** Global and channel requests and their replies, RFC 4254 sections 4 and 5.4. */
import {
  ChannelClose,
  ChannelFailure,
  ChannelRequest,
  ChannelSuccess,
  GlobalRequest,
  RequestFailure,
  RequestSuccess,
} from "@postern/wire";
import * as Limits from "@postern/wire/limits";
import { describe, expect, it } from "vitest";
import type { ConnectionEvent, ReplySlot } from "../src/index.ts";
import { accepted, nothing, opened, Side } from "./world.ts";

const global = (name: string, wantReply = true): Uint8Array =>
  GlobalRequest.encode({ name, wantReply, specificData: nothing });
const channel = (recipientChannel: number, requestType: string, wantReply = true): Uint8Array =>
  ChannelRequest.encode({ recipientChannel, requestType, wantReply, specificData: nothing });
const success = (...bytes: number[]): Uint8Array => RequestSuccess.encode({ specificData: Uint8Array.from(bytes) });
const failure = RequestFailure.encode({});
const slots = (events: readonly ConnectionEvent[]): ReplySlot[] =>
  events.flatMap((event) => ("slot" in event && event.slot !== undefined ? [event.slot] : []));
const protocol = expect.objectContaining({ code: "protocol" });

describe("the peer's global requests", () => {
  it("are answered in the order of their arrival, in any order of decisions (RFC 4254 section 4)", () => {
    const side = new Side();
    const [a, b, c] = slots(side.receive(global("a"), global("b"), global("c")));
    if (a === undefined || b === undefined || c === undefined) return expect.unreachable();
    side.machine.globalRequests.reply(c, true, Uint8Array.of(3));
    side.machine.globalRequests.reply(b, false);
    expect(side.take()).toEqual([]);
    side.machine.globalRequests.reply(a, true, Uint8Array.of(1));
    expect(side.take()).toEqual([success(1), failure, success(3)]);
  });

  it("get no slot and no reply without want_reply", () => {
    const side = new Side();
    const [event, ...rest] = side.receive(global("quiet", false), global("a"));
    expect(event).toEqual({ type: "globalRequest", name: "quiet", specificData: nothing, slot: undefined });
    for (const slot of slots(rest)) side.machine.globalRequests.reply(slot, true);
    expect(side.take()).toEqual([success()]);
  });

  it("pause input beyond a limit, until some are answered", () => {
    const side = new Side();
    const waiting = Array.from({ length: Limits.unansweredRequests }, () => slots(side.receive(global("a")))).flat();
    expect(side.machine.wantsInput).toBe(false);
    const [first] = waiting;
    side.machine.globalRequests.reply(first ?? expect.unreachable(), true);
    expect(side.machine.wantsInput).toBe(true);
  });

  it("count until their replies are sent, after that to an older request", () => {
    const side = new Side();
    const [first, ...others] = Array.from({ length: Limits.unansweredRequests }, () =>
      slots(side.receive(global("a"))),
    ).flat();
    for (const slot of others) side.machine.globalRequests.reply(slot, false);
    expect([side.take(), side.machine.wantsInput]).toEqual([[], false]);
    side.machine.globalRequests.reply(first ?? expect.unreachable(), false);
    expect(side.numbers()).toHaveLength(Limits.unansweredRequests);
    for (const slot of slots(side.receive(global("a")))) side.machine.globalRequests.reply(slot, false);
    expect([side.numbers().length, side.machine.wantsInput]).toEqual([1, true]);
  });
});

describe("our global requests", () => {
  it("get replies in order, and reject a reply without a request", () => {
    const side = new Side();
    side.machine.globalRequests.send("a", nothing, true);
    side.machine.globalRequests.send("quiet", nothing, false);
    side.machine.globalRequests.send("b", nothing, true);
    expect(side.take()).toEqual([global("a"), global("quiet", false), global("b")]);
    expect(side.receive(success(9), failure)).toEqual([
      { type: "globalReply", index: 0, ok: true, specificData: Uint8Array.of(9) },
      { type: "globalReply", index: 0, ok: false, specificData: nothing },
    ]);
    expect(() => side.receive(success())).toThrow(protocol);
    expect(() => new Side().receive(failure)).toThrow("expected no reply to a global request");
  });

  /** Returns the events after UNIMPLEMENTED with that sequence number. */
  const unimplemented = (side: Side, sequence: number): ConnectionEvent[] => {
    side.machine.globalRequests.unimplemented(sequence);
    return side.events();
  };
  const failed = (index: number) => [
    { type: "globalReply", index, ok: false, specificData: nothing, unimplemented: true },
  ];

  it("fail by UNIMPLEMENTED with their sequence number (RFC 4253 section 11.4)", () => {
    const side = new Side();
    side.sequence = 41;
    side.machine.globalRequests.send("a", nothing, true);
    side.machine.globalRequests.send("quiet", nothing, false);
    side.machine.globalRequests.send("b", nothing, true);
    side.machine.globalRequests.send("c", nothing, true);
    for (const other of [0, 40, 42, 45]) expect(unimplemented(side, other)).toEqual([]);
    expect(unimplemented(side, 43)).toEqual(failed(1));
    expect(unimplemented(side, 43)).toEqual([]);
    expect(side.receive(success(1))).toEqual([
      { type: "globalReply", index: 0, ok: true, specificData: Uint8Array.of(1) },
    ]);
    expect(unimplemented(side, 44)).toEqual(failed(0));
    expect(() => side.receive(failure)).toThrow(protocol);
  });

  it("ignore UNIMPLEMENTED while none is pending", () => {
    const side = new Side();
    expect(unimplemented(side, 0)).toEqual([]);
    side.machine.globalRequests.send("a", nothing, true);
    side.receive(success());
    expect(unimplemented(side, 0)).toEqual([]);
  });

  it("get their sequence number once they are sent after a key exchange", () => {
    const side = new Side();
    side.sequence = 7;
    side.machine.globalRequests.send("a", nothing, true);
    side.held = [];
    side.machine.globalRequests.send("b", nothing, true);
    for (const early of [8, 0]) expect(unimplemented(side, early)).toEqual([]);
    // Strict kex resets sequence numbers at NEWKEYS.
    side.sequence = 0;
    for (const send of side.held) send();
    expect(unimplemented(side, 0)).toEqual(failed(1));
    expect(unimplemented(side, 7)).toEqual(failed(0));
  });

  it("fail in order if two have the same sequence number, before and after a key exchange", () => {
    const side = new Side();
    side.machine.globalRequests.send("a", nothing, true);
    side.sequence = 0;
    side.machine.globalRequests.send("b", nothing, true);
    expect(unimplemented(side, 0)).toEqual(failed(0));
    expect(unimplemented(side, 0)).toEqual(failed(0));
  });
});

describe("the peer's channel requests", () => {
  it("are answered in order, separately for each channel", () => {
    const { side, id } = accepted();
    const [a, b] = slots(side.receive(channel(id, "a"), channel(id, "b")));
    if (a === undefined || b === undefined) return expect.unreachable();
    side.machine.reply(id, b, true);
    expect(side.take()).toEqual([]);
    side.machine.reply(id, a, false);
    expect(side.take()).toEqual([
      ChannelFailure.encode({ recipientChannel: 7 }),
      ChannelSuccess.encode({ recipientChannel: 7 }),
    ]);
  });

  it("get no slot and no reply without want_reply, such as window-change (RFC 4254 sections 5.4 and 6.7)", () => {
    const { side, id } = accepted();
    const [quiet, ...rest] = side.receive(channel(id, "window-change", false), channel(id, "a"));
    const expected = { type: "request", id, requestType: "window-change", specificData: nothing, slot: undefined };
    expect(quiet).toEqual(expected);
    for (const slot of slots(rest)) side.machine.reply(id, slot, true);
    expect(side.take()).toEqual([ChannelSuccess.encode({ recipientChannel: 7 })]);
  });

  it.each(["ours", "the peer's"])("count until their replies are sent, or until CLOSE (%s)", (whose) => {
    const { side, id } = accepted();
    const [first, ...others] = Array.from({ length: Limits.unansweredRequests }, () =>
      slots(side.receive(channel(id, "a"))),
    ).flat();
    for (const slot of others) side.machine.reply(id, slot, false);
    expect([side.take(), side.machine.wantsInput]).toEqual([[], false]);
    if (whose === "ours") side.machine.close(id);
    else side.receive(ChannelClose.encode({ recipientChannel: id }));
    expect(side.machine.wantsInput).toBe(true);
    side.machine.reply(id, first ?? expect.unreachable(), false);
    expect(side.numbers()).toEqual([ChannelClose.number]);
    // Each request was subtracted once, so the limit is unchanged.
    const again = Array.from({ length: Limits.unansweredRequests - 1 }, () => slots(side.receive(global("a")))).flat();
    expect([again.length, side.machine.wantsInput]).toEqual([Limits.unansweredRequests - 1, true]);
    side.receive(global("a"));
    expect(side.machine.wantsInput).toBe(false);
  });

  it("are not answered after our CLOSE, and no longer pause input", () => {
    const { side, id } = accepted();
    const waiting = Array.from({ length: Limits.unansweredRequests }, () =>
      slots(side.receive(channel(id, "a"))),
    ).flat();
    side.machine.close(id);
    side.take();
    expect(side.receive(channel(id, "late"))).toEqual([]);
    for (const slot of waiting) side.machine.reply(id, slot, true);
    expect(side.take()).toEqual([]);
    expect(side.machine.wantsInput).toBe(true);
    side.receive(ChannelClose.encode({ recipientChannel: id }));
    expect(side.machine.channelCount).toBe(0);
  });
});

describe("our channel requests", () => {
  it("get their replies in order, and reject a reply without a request", () => {
    const { side, id } = opened();
    side.machine.request(id, "exec", Uint8Array.of(5), true);
    side.machine.request(id, "signal", nothing, false);
    expect(side.take()).toEqual([
      ChannelRequest.encode({
        recipientChannel: 7,
        requestType: "exec",
        wantReply: true,
        specificData: Uint8Array.of(5),
      }),
      channel(7, "signal", false),
    ]);
    expect(side.receive(ChannelSuccess.encode({ recipientChannel: id }))).toEqual([{ type: "reply", id, ok: true }]);
    for (const reply of [ChannelSuccess, ChannelFailure]) {
      expect(() => side.receive(reply.encode({ recipientChannel: id }))).toThrow("because no request is pending");
    }
  });

  it("accept a reply after our CLOSE", () => {
    const { side, id } = opened();
    side.machine.request(id, "exec", nothing, true);
    side.machine.close(id);
    expect(side.receive(ChannelFailure.encode({ recipientChannel: id }))).toEqual([{ type: "reply", id, ok: false }]);
  });
});

describe("an unknown message number", () => {
  it("returns false", () => {
    for (const number of [83, 89, 101, 127, 128, 200])
      expect(new Side().machine.receive(Uint8Array.of(number)), String(number)).toBe(false);
  });
});
