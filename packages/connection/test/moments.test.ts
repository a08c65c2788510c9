/** Calls of the program at moments when the channel has moved on, and deadlines of several channels. */
import { ChannelClose, ChannelData, ChannelEof, ChannelOpen, ChannelRequest, ChannelWindowAdjust } from "@postern/wire";
import * as Limits from "@postern/wire/limits";
import { describe, expect, it } from "vitest";
import { accepted, limits, nothing, opened, Side } from "./world.ts";

const data = (recipientChannel: number, size: number): Uint8Array =>
  ChannelData.encode({ recipientChannel, data: new Uint8Array(size) });
const adjust = (recipientChannel: number, bytesToAdd: number): Uint8Array =>
  ChannelWindowAdjust.encode({ recipientChannel, bytesToAdd });
const eof = (recipientChannel: number): Uint8Array => ChannelEof.encode({ recipientChannel });
const close = (recipientChannel: number): Uint8Array => ChannelClose.encode({ recipientChannel });

/** Lets the peer open another channel on the side, accepts it, and returns its id. */
const acceptAnother = (side: Side): number => {
  const [event] = side.receive(
    ChannelOpen.encode({
      channelType: "test",
      senderChannel: 8,
      initialWindow: 0,
      maxPacket: 100,
      specificData: nothing,
    }),
  );
  if (event?.type !== "open") return expect.unreachable();
  side.machine.confirmOpen(event.id, nothing, limits);
  side.take();
  return event.id;
};

describe("a call that comes too late", () => {
  it("does not abandon an open that the peer has confirmed", () => {
    const { side, id } = opened();
    side.machine.abandonOpen(id);
    expect(side.receive(data(id, 3)).map(({ type }) => type)).toEqual(["data"]);
    expect(side.machine.write(id, new Uint8Array(3))).toBe(3);
  });

  it("does nothing for a channel that both sides have closed", () => {
    const { side, id } = opened();
    side.receive(close(id));
    side.take();
    side.machine.abandonOpen(id);
    side.machine.eof(id);
    side.machine.closeAfterWrite(id);
    side.machine.consumed(id, 1000);
    side.machine.close(id);
    expect(side.machine.write(id, new Uint8Array(5))).toBe(0);
    expect([side.take(), side.machine.deadline]).toEqual([[], undefined]);
  });

  it("does nothing for an open of the peer that is not decided", () => {
    const side = new Side();
    const [event] = side.receive(
      ChannelOpen.encode({
        channelType: "test",
        senderChannel: 7,
        initialWindow: 100,
        maxPacket: 100,
        specificData: nothing,
      }),
    );
    if (event?.type !== "open") return expect.unreachable();
    side.machine.abandonOpen(event.id);
    side.machine.eof(event.id);
    side.machine.closeAfterWrite(event.id);
    side.machine.consumed(event.id, 10_000_000);
    side.machine.close(event.id);
    expect([side.machine.write(event.id, new Uint8Array(5)), side.take()]).toEqual([0, []]);
    side.machine.confirmOpen(event.id, nothing, limits);
    expect(side.receive(data(event.id, 5)).map(({ type }) => type)).toEqual(["data"]);
  });

  it("sends no second EOF", () => {
    const { side, id } = opened();
    side.machine.eof(id);
    side.machine.eof(id);
    expect(side.take()).toEqual([eof(7)]);
  });

  it("throws `closed` for a request on a channel that is not open", () => {
    const closed = expect.objectContaining({ code: "closed" });
    const side = new Side();
    const opening = side.machine.openChannel("test", nothing, limits);
    side.take();
    expect(() => side.machine.request(opening, "exec", nothing, true)).toThrow(closed);
    expect(() => side.machine.request(99, "exec", nothing, true)).toThrow(closed);
    const gone = opened();
    gone.side.machine.close(gone.id);
    gone.side.take();
    expect(() => gone.side.machine.request(gone.id, "exec", nothing, true)).toThrow(closed);
    expect([side.take(), gone.side.take()]).toEqual([[], []]);
  });

  it("throws `misuse` for a decision about a channel that the peer did not open", () => {
    const misuse = expect.objectContaining({ code: "misuse" });
    const { side, id } = opened();
    for (const other of [id, 99]) {
      expect(() => side.machine.confirmOpen(other)).toThrow(misuse);
      expect(() => side.machine.refuseOpen(other, 1, "no")).toThrow(misuse);
    }
    expect([side.take(), side.machine.channelCount]).toEqual([[], 1]);
  });
});

describe("a channel that waits to write", () => {
  it("is not reported as writable after our CLOSE", () => {
    const full = opened();
    full.side.writable = false;
    full.side.machine.write(full.id, new Uint8Array(5));
    full.side.machine.close(full.id);
    full.side.writable = true;
    expect(full.side.events()).toEqual([]);

    const noWindow = opened({ window: 0 });
    noWindow.side.machine.write(noWindow.id, new Uint8Array(5));
    noWindow.side.machine.close(noWindow.id);
    expect(noWindow.side.receive(adjust(noWindow.id, 5))).toEqual([]);
  });

  it("is reported once, and only if it waits", () => {
    const { side, id } = opened();
    expect(side.machine.hasRoom(id)).toBe(true);
    expect(side.events()).toEqual([]);
    side.writable = false;
    expect(side.machine.hasRoom(id)).toBe(false);
    expect(side.events()).toEqual([]);
    side.writable = true;
    expect(side.events()).toEqual([{ type: "writable", id }]);
    expect(side.events()).toEqual([]);
  });

  it("is not reported as stalled because the sink is full", () => {
    const { side, id } = opened();
    side.writable = false;
    side.machine.closeAfterWrite(id);
    side.machine.write(id, new Uint8Array(5));
    expect(side.machine.deadline).toBeUndefined();
  });
});

describe("credit other than the size consumed", () => {
  it("grows the window: the peer may send the credit, and half of the larger window is collected", () => {
    const { side, id } = accepted({}, { window: 100, maxPacket: 100 });
    side.receive(data(id, 100));
    side.machine.consumed(id, 100, 300);
    expect(side.take()).toEqual([adjust(7, 300)]);
    side.receive(data(id, 100), data(id, 100), data(id, 100));
    expect(() => side.receive(data(id, 1))).toThrow("within the window of 0 bytes");
    side.machine.consumed(id, 149);
    expect(side.take()).toEqual([]);
    side.machine.consumed(id, 1);
    expect(side.take()).toEqual([adjust(7, 150)]);
  });

  it("shrinks the window: dropped bytes are not granted again", () => {
    const { side, id } = accepted({}, { window: 100, maxPacket: 100 });
    side.receive(data(id, 100));
    side.machine.consumed(id, 50, 0);
    expect(side.take()).toEqual([]);
    side.machine.consumed(id, 50);
    expect(side.take()).toEqual([adjust(7, 50)]);
    side.receive(data(id, 50));
    expect(() => side.receive(data(id, 1))).toThrow("within the window of 0 bytes");
  });
});

describe("a channel request without want_reply", () => {
  it("gets no slot, and never pauses input (RFC 4254 section 5.4)", () => {
    const { side, id } = accepted();
    const request = ChannelRequest.encode({
      recipientChannel: id,
      requestType: "signal",
      wantReply: false,
      specificData: nothing,
    });
    for (let n = 0; n <= Limits.unansweredRequests; n++) {
      const [event] = side.receive(request);
      expect(event).toEqual({ type: "request", id, requestType: "signal", specificData: nothing, slot: undefined });
    }
    expect([side.machine.wantsInput, side.take()]).toEqual([true, []]);
  });
});

describe("deadlines", () => {
  it("are set before the next tick, from the time of the last one", () => {
    const { side, id } = accepted();
    side.machine.tick(500);
    expect(side.machine.deadline).toBeUndefined();
    side.machine.eof(id);
    side.receive(eof(id));
    expect(side.machine.deadline).toBe(500 + Limits.closeGraceMs);
    side.machine.tick(700);
    expect(side.machine.deadline).toBe(700 + Limits.closeGraceMs);
  });

  it("pass for each channel in its turn", () => {
    const { side, id } = accepted();
    const later = acceptAnother(side);
    side.machine.eof(id);
    side.receive(eof(id));
    side.machine.tick(0);
    side.machine.eof(later);
    side.receive(eof(later));
    side.machine.tick(10);
    side.take();
    side.machine.tick(Limits.closeGraceMs);
    expect(side.take()).toEqual([close(7)]);
    expect(side.machine.deadline).toBe(Limits.closeGraceMs + 10);
    side.machine.tick(Limits.closeGraceMs + 10);
    expect(side.take()).toEqual([close(8)]);
    expect(side.machine.deadline).toBeUndefined();
  });

  it("are the earlier one of a channel to close and one whose CLOSE waits for window, in either order", () => {
    for (const stallFirst of [true, false]) {
      const { side, id } = accepted();
      const waiting = acceptAnother(side);
      const stall = (): void => {
        side.machine.closeAfterWrite(waiting);
        side.machine.write(waiting, new Uint8Array(5));
      };
      const finish = (): void => {
        side.machine.eof(id);
        side.receive(eof(id));
      };
      (stallFirst ? stall : finish)();
      side.machine.tick(0);
      (stallFirst ? finish : stall)();
      side.machine.tick(1);
      const [grace, stalled] = stallFirst ? [1, 0] : [0, 1];
      const expected = Math.min(grace + Limits.closeGraceMs, stalled + Limits.closeStallMs);
      expect(side.machine.deadline, `stall first: ${stallFirst}`).toBe(expected);
    }
  });

  it("are that of a CLOSE that has long waited for window, if it passes before a grace period", () => {
    const { side, id } = accepted();
    const waiting = acceptAnother(side);
    side.machine.closeAfterWrite(waiting);
    side.machine.write(waiting, new Uint8Array(5));
    side.machine.tick(0);
    side.machine.tick(Limits.closeStallMs - 1);
    side.machine.eof(id);
    side.receive(eof(id));
    side.machine.tick(Limits.closeStallMs - 1);
    expect(side.machine.deadline).toBe(Limits.closeStallMs);
  });

  it("of a stalled CLOSE start again with no credit from before", () => {
    const { side, id } = opened({ window: 0 });
    side.machine.closeAfterWrite(id);
    const most = Limits.closeStallCredit - 1;
    for (let minute = 1; minute <= 2; minute++) {
      side.machine.write(id, new Uint8Array(Limits.closeStallCredit + 1));
      side.machine.tick(minute * 10_000_000);
      expect(side.receive(adjust(id, most))).toEqual([{ type: "writable", id }]);
      // A byte less than a packet of credit leaves the deadline as it was.
      expect(side.machine.deadline, `${minute}`).toBe(minute * 10_000_000 + Limits.closeStallMs);
      expect(side.machine.write(id, new Uint8Array(most))).toBe(most);
      side.machine.tick(minute * 10_000_000 + Limits.closeStallMs);
      expect(side.events(), `${minute}`).toEqual([{ type: "stalled", id }]);
    }
  });
});
