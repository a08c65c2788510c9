/** Global and channel requests and their replies, RFC 4254 sections 4 and 5.4. */
import {
  ChannelClose,
  ChannelFailure,
  ChannelRequest,
  ChannelSuccess,
  GlobalRequest,
  Limits,
  RequestFailure,
  RequestSuccess,
} from "@postern/wire";
import { describe, expect, it } from "vitest";
import type { ConnectionEvent, ReplySlot } from "../src/index.ts";
import { accepted, nothing, opened, Side } from "./twins.ts";

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
  it("are answered in the order they came, in whatever order the program decides (RFC 4254 section 4)", () => {
    const side = new Side();
    const [a, b, c] = slots(side.hear(global("a"), global("b"), global("c")));
    if (a === undefined || b === undefined || c === undefined) return expect.unreachable();
    side.machine.replyGlobal(c, true, Uint8Array.of(3));
    side.machine.replyGlobal(b, false);
    expect(side.take()).toEqual([]);
    side.machine.replyGlobal(a, true, Uint8Array.of(1));
    expect(side.take()).toEqual([success(1), failure, success(3)]);
  });

  it("without want_reply are not answered and take no place in the line", () => {
    const side = new Side();
    const [event, ...rest] = side.hear(global("quiet", false), global("a"));
    expect(event).toEqual({ type: "globalRequest", name: "quiet", specificData: nothing, slot: undefined });
    for (const slot of slots(rest)) side.machine.replyGlobal(slot, true);
    expect(side.take()).toEqual([success()]);
  });

  it("beyond a limit stop the reading of input until some are answered", () => {
    const side = new Side();
    const waiting = Array.from({ length: Limits.unansweredRequests }, () => slots(side.hear(global("a")))).flat();
    expect(side.machine.wantsInput).toBe(false);
    const [first] = waiting;
    side.machine.replyGlobal(first ?? expect.unreachable(), true);
    expect(side.machine.wantsInput).toBe(true);
  });

  it("that are answered count until their answers leave, which wait for an older one", () => {
    const side = new Side();
    const [first, ...others] = Array.from({ length: Limits.unansweredRequests }, () =>
      slots(side.hear(global("a"))),
    ).flat();
    for (const slot of others) side.machine.replyGlobal(slot, false);
    expect([side.take(), side.machine.wantsInput]).toEqual([[], false]);
    side.machine.replyGlobal(first ?? expect.unreachable(), false);
    expect(side.numbers()).toHaveLength(Limits.unansweredRequests);
    for (const slot of slots(side.hear(global("a")))) side.machine.replyGlobal(slot, false);
    expect([side.numbers().length, side.machine.wantsInput]).toEqual([1, true]);
  });
});

describe("our global requests", () => {
  it("get the peer's replies one by one, and a reply too many is refused: it would answer the next request", () => {
    const side = new Side();
    side.machine.globalRequest("a", nothing, true);
    side.machine.globalRequest("quiet", nothing, false);
    side.machine.globalRequest("b", nothing, true);
    expect(side.take()).toEqual([global("a"), global("quiet", false), global("b")]);
    expect(side.hear(success(9), failure)).toEqual([
      { type: "globalReply", index: 0, ok: true, specificData: Uint8Array.of(9) },
      { type: "globalReply", index: 0, ok: false, specificData: nothing },
    ]);
    expect(() => side.hear(success())).toThrow(protocol);
    expect(() => new Side().hear(failure)).toThrow("expected no reply: nothing was asked");
  });

  /** What UNIMPLEMENTED with that number leads to. */
  const unimplemented = (side: Side, sequence: number): ConnectionEvent[] => {
    side.machine.unimplemented(sequence);
    return side.events();
  };
  const failed = (index: number) => [
    { type: "globalReply", index, ok: false, specificData: nothing, unimplemented: true },
  ];

  it("fail one by one by UNIMPLEMENTED, which names the packet of one (RFC 4253 section 11.4)", () => {
    const side = new Side();
    side.sequence = 41;
    side.machine.globalRequest("a", nothing, true);
    side.machine.globalRequest("quiet", nothing, false);
    side.machine.globalRequest("b", nothing, true);
    side.machine.globalRequest("c", nothing, true);
    for (const other of [0, 40, 42, 45]) expect(unimplemented(side, other)).toEqual([]);
    expect(unimplemented(side, 43)).toEqual(failed(1));
    expect(unimplemented(side, 43)).toEqual([]);
    expect(side.hear(success(1))).toEqual([
      { type: "globalReply", index: 0, ok: true, specificData: Uint8Array.of(1) },
    ]);
    expect(unimplemented(side, 44)).toEqual(failed(0));
    expect(() => side.hear(failure)).toThrow(protocol);
  });

  it("are left alone by UNIMPLEMENTED while none waits", () => {
    const side = new Side();
    expect(unimplemented(side, 0)).toEqual([]);
    side.machine.globalRequest("a", nothing, true);
    side.hear(success());
    expect(unimplemented(side, 0)).toEqual([]);
  });

  it("that are held during a key exchange have a number once they leave", () => {
    const side = new Side();
    side.sequence = 7;
    side.machine.globalRequest("a", nothing, true);
    side.held = [];
    side.machine.globalRequest("b", nothing, true);
    for (const early of [8, 0]) expect(unimplemented(side, early)).toEqual([]);
    // Under strict kex the numbers start again behind NEWKEYS.
    side.sequence = 0;
    for (const leave of side.held) leave();
    expect(unimplemented(side, 0)).toEqual(failed(1));
    expect(unimplemented(side, 7)).toEqual(failed(0));
  });

  it("of two with the same number, from before and after a key exchange, fail in their order", () => {
    const side = new Side();
    side.machine.globalRequest("a", nothing, true);
    side.sequence = 0;
    side.machine.globalRequest("b", nothing, true);
    expect(unimplemented(side, 0)).toEqual(failed(0));
    expect(unimplemented(side, 0)).toEqual(failed(0));
  });
});

describe("the peer's channel requests", () => {
  it("are answered in order, each channel by itself", () => {
    const { side, id } = accepted();
    const [a, b] = slots(side.hear(channel(id, "a"), channel(id, "b")));
    if (a === undefined || b === undefined) return expect.unreachable();
    side.machine.reply(id, b, true);
    expect(side.take()).toEqual([]);
    side.machine.reply(id, a, false);
    expect(side.take()).toEqual([
      ChannelFailure.encode({ recipientChannel: 7 }),
      ChannelSuccess.encode({ recipientChannel: 7 }),
    ]);
  });

  it.each(["ours", "the peer's"])("that are answered count until their answers leave, or until CLOSE (%s)", (whose) => {
    const { side, id } = accepted();
    const [first, ...others] = Array.from({ length: Limits.unansweredRequests }, () =>
      slots(side.hear(channel(id, "a"))),
    ).flat();
    for (const slot of others) side.machine.reply(id, slot, false);
    expect([side.take(), side.machine.wantsInput]).toEqual([[], false]);
    if (whose === "ours") side.machine.close(id);
    else side.hear(ChannelClose.encode({ recipientChannel: id }));
    expect(side.machine.wantsInput).toBe(true);
    side.machine.reply(id, first ?? expect.unreachable(), false);
    expect(side.numbers()).toEqual([ChannelClose.number]);
    // Each request was counted off once: the limit is what it was.
    const again = Array.from({ length: Limits.unansweredRequests - 1 }, () => slots(side.hear(global("a")))).flat();
    expect([again.length, side.machine.wantsInput]).toEqual([Limits.unansweredRequests - 1, true]);
    side.hear(global("a"));
    expect(side.machine.wantsInput).toBe(false);
  });

  it("are not answered once our CLOSE is out, and no longer hold up the input", () => {
    const { side, id } = accepted();
    const waiting = Array.from({ length: Limits.unansweredRequests }, () => slots(side.hear(channel(id, "a")))).flat();
    side.machine.close(id);
    side.take();
    expect(side.hear(channel(id, "late"))).toEqual([]);
    for (const slot of waiting) side.machine.reply(id, slot, true);
    expect(side.take()).toEqual([]);
    expect(side.machine.wantsInput).toBe(true);
    side.hear(ChannelClose.encode({ recipientChannel: id }));
    expect(side.machine.channelCount).toBe(0);
  });
});

describe("our channel requests", () => {
  it("get their replies in order, and a reply nobody asked for is refused", () => {
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
    expect(side.hear(ChannelSuccess.encode({ recipientChannel: id }))).toEqual([{ type: "reply", id, ok: true }]);
    for (const reply of [ChannelSuccess, ChannelFailure]) {
      expect(() => side.hear(reply.encode({ recipientChannel: id }))).toThrow("nothing was asked");
    }
  });

  it("may still be answered after our CLOSE", () => {
    const { side, id } = opened();
    side.machine.request(id, "exec", nothing, true);
    side.machine.close(id);
    expect(side.hear(ChannelFailure.encode({ recipientChannel: id }))).toEqual([{ type: "reply", id, ok: false }]);
  });
});

describe("a number without a meaning", () => {
  it("is left to whoever sends UNIMPLEMENTED", () => {
    for (const number of [83, 89, 101, 127, 128, 200])
      expect(new Side().machine.receive(Uint8Array.of(number)), String(number)).toBe(false);
  });
});
