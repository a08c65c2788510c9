/** Opening, half-closing and closing channels, RFC 4254 sections 5.1 and 5.3. */

import {
  ChannelClose,
  ChannelData,
  ChannelEof,
  ChannelFailure,
  ChannelOpen,
  ChannelOpenConfirmation,
  ChannelOpenFailure,
  ChannelRequest,
  ChannelSuccess,
  ChannelWindowAdjust,
  OpenFailureReason,
  SshError,
} from "@postern/wire";
import * as Limits from "@postern/wire/limits";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { accepted, limits, nothing, opened, Side, settle } from "./world.ts";

const eof = (recipientChannel: number): Uint8Array => ChannelEof.encode({ recipientChannel });
const close = (recipientChannel: number): Uint8Array => ChannelClose.encode({ recipientChannel });
const data = (recipientChannel: number): Uint8Array => ChannelData.encode({ recipientChannel, data: Uint8Array.of(1) });
const confirm = (recipientChannel: number): Uint8Array =>
  ChannelOpenConfirmation.encode({
    recipientChannel,
    senderChannel: 7,
    initialWindow: 10,
    maxPacket: 10,
    specificData: nothing,
  });
const fail = (recipientChannel: number): Uint8Array =>
  ChannelOpenFailure.encode({ recipientChannel, reason: 2, description: "no", language: "" });
const openOf = (senderChannel: number): Uint8Array =>
  ChannelOpen.encode({ channelType: "test", senderChannel, initialWindow: 10, maxPacket: 10, specificData: nothing });
const protocol = expect.objectContaining({ code: "protocol" });

describe("opening a channel", () => {
  it("sends our id, window and largest packet, and completes with the confirmation (RFC 4254 section 5.1)", () => {
    const side = new Side();
    const id = side.machine.openChannel("direct-tcpip", Uint8Array.of(1, 2), limits);
    expect(side.take()).toEqual([
      ChannelOpen.encode({
        channelType: "direct-tcpip",
        senderChannel: id,
        initialWindow: 1000,
        maxPacket: 100,
        specificData: Uint8Array.of(1, 2),
      }),
    ]);
    expect(side.receive(confirm(id))).toEqual([{ type: "opened", id, specificData: nothing }]);
    side.machine.eof(id);
    expect(side.take()).toEqual([eof(7)]);
  });

  it("reports the reason of a refusal, and frees the id", () => {
    const side = new Side();
    const id = side.machine.openChannel("test", nothing, limits);
    expect(side.receive(fail(id))).toEqual([{ type: "openFailed", id, reason: 2, description: "no" }]);
    expect(side.machine.channelCount).toBe(0);
    expect(() => side.receive(fail(id))).toThrow(protocol);
  });

  it("rejects a confirmation without an open, and a second one", () => {
    expect(() => new Side().receive(confirm(0))).toThrow(protocol);
    expect(() => new Side().receive(fail(3))).toThrow(protocol);
    const { side, id } = opened();
    expect(() => side.receive(confirm(id))).toThrow("because no open is pending");
    const theirs = accepted();
    expect(() => theirs.side.receive(confirm(theirs.id))).toThrow(protocol);
  });

  it("answers a confirmation with CLOSE after abandonOpen, and drops data until the peer closes", () => {
    const side = new Side();
    const id = side.machine.openChannel("test", nothing, limits);
    side.machine.abandonOpen(id);
    expect(side.machine.channelCount).toBe(1);
    side.take();
    expect(side.receive(confirm(id), data(id), eof(id))).toEqual([]);
    expect(side.take()).toEqual([close(7)]);
    side.receive(close(id));
    expect(side.machine.channelCount).toBe(0);
    expect(side.take()).toEqual([]);
  });

  it("ignores a refusal after abandonOpen", () => {
    const side = new Side();
    const id = side.machine.openChannel("test", nothing, limits);
    side.machine.abandonOpen(id);
    side.take();
    expect(side.receive(fail(id))).toEqual([]);
    expect([side.machine.channelCount, side.take()]).toEqual([0, []]);
  });

  it("lets the program decide an open of the peer once", () => {
    const side = new Side();
    const [event] = side.receive(openOf(7));
    expect(event).toEqual({ type: "open", id: 0, channelType: "test", specificData: nothing });
    side.machine.refuseOpen(0, OpenFailureReason.CONNECT_FAILED, "the target is gone");
    expect(side.take()).toEqual([
      ChannelOpenFailure.encode({ recipientChannel: 7, reason: 2, description: "the target is gone", language: "" }),
    ]);
    expect(() => side.machine.confirmOpen(0)).toThrow(expect.objectContaining({ code: "misuse" }));
    expect(() => accepted().side.machine.refuseOpen(0, 1, "")).toThrow(expect.objectContaining({ code: "misuse" }));
  });

  it("fails beyond the limit: with RESOURCE_SHORTAGE for the peer, with an error for us", () => {
    const side = new Side();
    for (let n = 0; n < Limits.channels; n++) side.receive(openOf(n));
    expect(side.receive(openOf(99_999))).toEqual([]);
    expect(ChannelOpenFailure.decode(side.take()[0] ?? nothing)).toMatchObject({ recipientChannel: 99_999, reason: 4 });
    expect(() => side.machine.openChannel("test", nothing, limits)).toThrow(expect.objectContaining({ code: "limit" }));
    side.machine.refuseOpen(5, 1, "");
    expect(side.receive(openOf(100_000))).toHaveLength(1);
  });

  it("never reuses an id that is in use, or was just freed", () => {
    const side = new Side();
    const ids = new Set<number>();
    for (let n = 0; n < 50; n++) ids.add(side.machine.openChannel("test", nothing, limits));
    expect(ids.size).toBe(50);
    side.receive(fail(10));
    expect(side.machine.openChannel("test", nothing, limits)).toBe(50);
  });
});

describe("a channel that is not confirmed", () => {
  it.each([
    ["data", data],
    ["EOF", eof],
    ["CLOSE", close],
    [
      "a request",
      (id: number) =>
        ChannelRequest.encode({ recipientChannel: id, requestType: "x", wantReply: false, specificData: nothing }),
    ],
  ])("rejects %s", (_message, make) => {
    const side = new Side();
    const ours = side.machine.openChannel("test", nothing, limits);
    expect(() => side.receive(make(ours))).toThrow(protocol);
    const theirs = new Side();
    theirs.receive(openOf(7));
    expect(() => theirs.receive(make(0))).toThrow(protocol);
  });
});

describe("an unknown channel", () => {
  it.each([
    ["data", data],
    ["EOF", eof],
    ["CLOSE", close],
    ["success", (recipientChannel: number) => ChannelSuccess.encode({ recipientChannel })],
    ["failure", (recipientChannel: number) => ChannelFailure.encode({ recipientChannel })],
  ])("rejects %s, before it is opened and after it is closed", (_message, make) => {
    expect(() => new Side().receive(make(3))).toThrow(
      expect.objectContaining({ code: "protocol", message: expect.stringContaining("channel 3") }),
    );
    const { side, id } = opened();
    side.receive(close(id));
    expect(() => side.receive(make(id))).toThrow(protocol);
  });
});

describe("closing", () => {
  it("answers CLOSE with CLOSE (RFC 4254 section 5.3)", () => {
    for (const { side, id } of [opened(), accepted()]) {
      expect(side.receive(close(id))).toEqual([{ type: "closed", id }]);
      expect(side.take()).toEqual([close(7)]);
      expect(side.machine.channelCount).toBe(0);
    }
  });

  it("sends CLOSE once, and frees the id only after the peer's CLOSE", () => {
    const { side, id } = opened();
    side.machine.close(id);
    side.machine.close(id);
    expect(side.take()).toEqual([close(7)]);
    expect(side.machine.channelCount).toBe(1);
    expect(side.receive(data(id), eof(id))).toEqual([]);
    expect(side.receive(close(id))).toEqual([{ type: "closed", id }]);
    expect(side.take()).toEqual([]);
  });

  it("sends no data after EOF, and nothing after CLOSE", () => {
    const { side, id } = opened();
    side.machine.eof(id);
    side.machine.eof(id);
    expect(side.machine.write(id, Uint8Array.of(1))).toBe(0);
    expect(side.take()).toEqual([eof(7)]);
    side.machine.close(id);
    side.take();
    side.machine.eof(id);
    expect(side.machine.write(id, Uint8Array.of(1))).toBe(0);
    expect(() => side.machine.request(id, "x", nothing, true)).toThrow(expect.objectContaining({ code: "closed" }));
    expect(side.take()).toEqual([]);
  });

  it.each(["before", "after"])(
    "rejects data and EOF after an EOF that came %s our CLOSE (RFC 4254 section 5.3)",
    (when) => {
      for (const late of [data, eof]) {
        const { side, id } = opened();
        if (when === "before") side.receive(eof(id));
        side.machine.close(id);
        if (when === "after") expect(side.receive(data(id), eof(id))).toEqual([]);
        expect(() => side.receive(late(id))).toThrow(protocol);
      }
    },
  );

  it("rejects a second EOF", () => {
    const { side, id } = opened();
    side.receive(eof(id));
    expect(() => side.receive(eof(id))).toThrow("expected EOF once");
  });

  it("allows data in one direction after EOF in the other", () => {
    const { side, id } = opened();
    expect(side.receive(eof(id))).toEqual([{ type: "eof", id }]);
    expect(side.machine.write(id, Uint8Array.of(1))).toBe(1);
    expect(side.numbers()).toEqual([94]);
    const other = opened();
    other.side.machine.eof(other.id);
    expect(other.side.receive(data(other.id))).toHaveLength(1);
  });

  it("leaves a session that we opened open after EOF in both directions, until its exit status has come (RFC 4254 section 6.10)", () => {
    for (const closedByUs of [false, true]) {
      const side = new Side();
      const id = side.machine.openChannel("session", nothing, limits);
      side.receive(confirm(id));
      side.machine.eof(id);
      side.take();
      const status = { recipientChannel: id, requestType: "exit-status", wantReply: false, specificData: nothing };
      expect(side.receive(eof(id), ChannelRequest.encode(status)).map(({ type }) => type)).toEqual(["eof", "request"]);
      expect([side.take(), side.machine.deadline]).toEqual([[], undefined]);
      if (closedByUs) side.machine.close(id);
      expect(side.take()).toEqual(closedByUs ? [close(7)] : []);
      expect(side.receive(close(id))).toEqual([{ type: "closed", id }]);
      expect(side.take()).toEqual(closedByUs ? [] : [close(7)]);
    }
  });

  it("closes a channel that we opened after EOF in both directions, in either order", () => {
    for (const order of ["ours first", "theirs first"]) {
      const { side, id } = opened();
      if (order === "ours first") side.machine.eof(id);
      side.receive(eof(id));
      if (order !== "ours first") side.machine.eof(id);
      expect(side.numbers(), order).toEqual([96, 97]);
      expect(side.machine.deadline).toBeUndefined();
    }
  });

  it("leaves a channel of the peer open after EOF in both directions if its user closes it", () => {
    const { side, id } = accepted();
    side.machine.awaitClose(id + 1);
    side.machine.awaitClose(id);
    side.machine.eof(id);
    side.receive(eof(id));
    expect(side.numbers()).toEqual([96]);
    side.machine.tick(1000);
    expect(side.machine.deadline).toBeUndefined();
    side.machine.close(id);
    expect(side.take()).toEqual([close(7)]);
  });

  it("waits a grace period for the CLOSE of a peer that opened the channel, from the next tick", () => {
    for (const order of ["ours first", "theirs first"]) {
      const { side, id } = accepted();
      if (order === "ours first") side.machine.eof(id);
      side.receive(eof(id));
      if (order !== "ours first") side.machine.eof(id);
      expect(side.numbers(), order).toEqual([96]);
      // The last tick was an hour ago.
      side.machine.tick(3_600_000);
      expect(side.machine.deadline).toBe(3_600_000 + Limits.closeGraceMs);
      side.machine.tick(3_600_000 + Limits.closeGraceMs - 1);
      expect(side.take()).toEqual([]);
      side.machine.tick(3_600_000 + Limits.closeGraceMs);
      expect(side.take()).toEqual([close(7)]);
      expect(side.machine.deadline).toBeUndefined();
      expect(side.receive(close(id))).toEqual([{ type: "closed", id }]);
    }
  });

  it("reports a CLOSE that waits for window as stalled after a minute", () => {
    for (const order of ["written first", "closed first"]) {
      const { side, id } = opened({ window: 0 });
      if (order === "closed first") side.machine.closeAfterWrite(id);
      expect(side.machine.write(id, new Uint8Array(10))).toBe(0);
      if (order === "written first") side.machine.closeAfterWrite(id);
      side.machine.tick(3_600_000);
      expect(side.machine.deadline).toBe(3_600_000 + Limits.closeStallMs);
      side.machine.tick(3_600_000 + Limits.closeStallMs - 1);
      expect(side.events()).toEqual([]);
      side.machine.tick(3_600_000 + Limits.closeStallMs);
      expect(side.events(), order).toEqual([{ type: "stalled", id }]);
      expect(side.machine.deadline).toBeUndefined();
    }
  });

  it("reports a CLOSE as stalled although the peer grows the window by a byte now and then", () => {
    const { side, id } = opened({ window: 0 });
    side.machine.closeAfterWrite(id);
    side.machine.write(id, new Uint8Array(100));
    for (let at = 0; at < Limits.closeStallMs; at += Limits.closeStallMs / 4) {
      side.machine.tick(at);
      side.receive(ChannelWindowAdjust.encode({ recipientChannel: id, bytesToAdd: 1 }));
      expect(side.machine.write(id, new Uint8Array(100))).toBe(1);
    }
    side.machine.tick(Limits.closeStallMs);
    expect(side.events()).toEqual([{ type: "stalled", id }]);
  });

  it("restarts that minute when the window grows by a packet, and stops it at CLOSE", () => {
    const { side, id } = opened({ window: 0 });
    const size = Limits.closeStallCredit;
    side.machine.closeAfterWrite(id);
    side.machine.write(id, new Uint8Array(size + 1));
    side.machine.tick(0);
    side.receive(ChannelWindowAdjust.encode({ recipientChannel: id, bytesToAdd: size }));
    expect(side.machine.deadline).toBeUndefined();
    expect(side.machine.write(id, new Uint8Array(size + 1))).toBe(size);
    side.machine.tick(Limits.closeStallMs);
    expect(side.events()).toEqual([]);
    expect(side.machine.deadline).toBe(2 * Limits.closeStallMs);
    side.receive(ChannelWindowAdjust.encode({ recipientChannel: id, bytesToAdd: 0 }));
    expect(side.machine.deadline).toBe(2 * Limits.closeStallMs);
    side.machine.close(id);
    expect(side.machine.deadline).toBeUndefined();
  });

  it("sets no deadline if the peer closes within the grace period", () => {
    const { side, id } = accepted();
    side.machine.eof(id);
    side.receive(eof(id), close(id));
    expect(side.numbers()).toEqual([96, 97]);
    side.machine.tick(10);
    expect(side.machine.deadline).toBeUndefined();
  });

  it("frees the ids on both sides if both close at once", () => {
    const [one, other] = [new Side(), new Side()];
    const id = one.machine.openChannel("test", nothing, limits);
    settle(one, other, (event, side) => event.type === "open" && side.machine.confirmOpen(event.id));
    one.machine.close(id);
    other.machine.close(0);
    const [ofOne, ofOther] = settle(one, other);
    expect([ofOne, ofOther].map((received) => received.map(({ type }) => type))).toEqual([["closed"], ["closed"]]);
    expect([one.machine.channelCount, other.machine.channelCount]).toEqual([0, 0]);
  });
});

describe("two machines", () => {
  it("end every channel, in any order of writes, EOFs and closes", () => {
    const act = fc.tuple(fc.constantFrom("write", "eof", "close", "settle"), fc.boolean(), fc.nat(3));
    fc.assert(
      fc.property(fc.array(act, { maxLength: 40 }), (acts) => {
        const [one, other] = [new Side(), new Side()];
        const decide = (event: { type: string; id?: number }, side: Side): void => {
          if (event.type === "open") side.machine.confirmOpen(event.id ?? -1);
        };
        for (let n = 0; n < 4; n++) (n % 2 === 0 ? one : other).machine.openChannel("test", nothing, limits);
        settle(one, other, decide);
        for (const [action, first, id] of acts) {
          const { machine } = first ? one : other;
          if (action === "write") machine.write(id, new Uint8Array(30));
          else if (action === "settle") settle(one, other, decide);
          else machine[action](id);
        }
        for (const side of [one, other]) for (let id = 0; id < 4; id++) side.machine.close(id);
        settle(one, other, decide);
        expect([one.machine.channelCount, other.machine.channelCount]).toEqual([0, 0]);
      }),
      { numRuns: 200 },
    );
  });

  it("emit events or throw an SshError for any bytes", () => {
    fc.assert(
      fc.property(fc.integer({ min: 80, max: 127 }), fc.uint8Array({ maxLength: 60 }), (number, noise) => {
        const { side } = opened();
        try {
          side.receive(Uint8Array.from([number, ...noise]));
        } catch (error) {
          expect(error).toBeInstanceOf(SshError);
        }
      }),
      { numRuns: 500 },
    );
  });
});
