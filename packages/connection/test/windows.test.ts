/** Window accounting, RFC 4254 section 5.2. */

import { ChannelData, ChannelEof, ChannelExtendedData, ChannelWindowAdjust, concat, SshError } from "@postern/wire";
import * as Limits from "@postern/wire/limits";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ConnectionEvent } from "../src/index.ts";
import { accepted, limits, nothing, opened, Side, settle } from "./world.ts";

const data = (recipientChannel: number, size: number, fill = 1): Uint8Array =>
  ChannelData.encode({ recipientChannel, data: new Uint8Array(size).fill(fill) });
const extended = (recipientChannel: number, size: number, dataType = 1): Uint8Array =>
  ChannelExtendedData.encode({ recipientChannel, dataType, data: new Uint8Array(size) });
const adjust = (recipientChannel: number, bytesToAdd: number): Uint8Array =>
  ChannelWindowAdjust.encode({ recipientChannel, bytesToAdd });
const sizeOf = (events: readonly ConnectionEvent[]): number =>
  events.reduce((sum, event) => sum + (event.type === "data" ? event.data.length : 0), 0);
const creditOf = (payloads: readonly Uint8Array[]): number =>
  payloads.reduce((sum, payload) => sum + (payload[0] === 93 ? ChannelWindowAdjust.decode(payload).bytesToAdd : 0), 0);
const protocol = expect.objectContaining({ code: "protocol" });

describe.each([
  ["opened", opened],
  ["accepted", accepted],
] as const)("data received on a channel we %s", (_side, make) => {
  it("is accepted up to the window, and rejected beyond it (RFC 4254 section 5.2)", () => {
    const { side, id } = make({}, { window: 250, maxPacket: 100 });
    expect(sizeOf(side.receive(data(id, 100), data(id, 100), data(id, 50)))).toBe(250);
    expect(() => side.receive(data(id, 1))).toThrow(
      expect.objectContaining({ code: "protocol", message: "expected data within the window of 0 bytes, got 1" }),
    );
  });

  it("is accepted up to the largest packet, and rejected beyond it", () => {
    const { side, id } = make();
    expect(sizeOf(side.receive(data(id, limits.maxPacket)))).toBe(limits.maxPacket);
    expect(() => side.receive(data(id, limits.maxPacket + 1))).toThrow(
      "expected at most 100 bytes in one data message, got 101",
    );
  });

  it("counts against one window, ordinary or extended", () => {
    const { side, id } = make({}, { window: 150, maxPacket: 100 });
    expect(
      side.receive(extended(id, 100), data(id, 50)).map((event) => event.type === "data" && event.dataType),
    ).toEqual([1, undefined]);
    expect(() => side.receive(extended(id, 1))).toThrow(protocol);
  });

  it("may be empty, which does not use the window", () => {
    const { side, id } = make({}, { window: 10, maxPacket: 10 });
    side.receive(data(id, 10));
    expect(side.receive(data(id, 0), data(id, 0)).map(({ type }) => type)).toEqual(["data", "data"]);
  });

  it("is rejected after EOF, ordinary or extended (RFC 4254 section 5.3)", () => {
    for (const late of [data, extended]) {
      const { side, id } = make();
      side.receive(ChannelEof.encode({ recipientChannel: id }));
      expect(() => side.receive(late(id, 1))).toThrow("expected no data after EOF");
    }
  });
});

describe("credit", () => {
  it("is sent for consumed data, not for received data", () => {
    const { side, id } = accepted();
    side.receive(data(id, 100), data(id, 100), data(id, 100), data(id, 100));
    expect(side.take()).toEqual([]);
    side.machine.consumed(id, 399);
    expect(side.take()).toEqual([]);
    side.receive(data(id, 100), data(id, 1));
    side.machine.consumed(id, 101);
    expect(side.take()).toEqual([adjust(7, 500)]);
    side.machine.consumed(id, 100);
    expect(side.take()).toEqual([]);
  });

  it("is sent after eight packets or half a window, whichever is less", () => {
    for (const [window, maxPacket, step] of [
      [1000, 100, 500],
      [4000, 100, 800],
      [10, 100, 5],
      [1, 100, 1],
      [Limits.window, Limits.maxPacket, 8 * Limits.maxPacket],
    ] as const) {
      const { side, id } = accepted({}, { window, maxPacket });
      side.machine.consumed(id, step - 1);
      expect(side.take(), `${window}`).toEqual([]);
      side.machine.consumed(id, 1);
      expect(creditOf(side.take()), `${window}`).toBe(step);
    }
  });

  it("extends the window by exactly its size", () => {
    const { side, id } = accepted({}, { window: 1000, maxPacket: 1000 });
    side.receive(data(id, 600));
    side.machine.consumed(id, 600);
    expect(creditOf(side.take())).toBe(600);
    side.receive(data(id, 1000));
    expect(() => side.receive(data(id, 1))).toThrow(protocol);
  });

  it("keeps the sum of the open window and the unconsumed data within the window", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 500 }),
        fc.integer({ min: 1, max: 200 }),
        fc.array(fc.tuple(fc.boolean(), fc.nat(250)), { maxLength: 60 }),
        (window, maxPacket, steps) => {
          const { side, id } = accepted({}, { window, maxPacket });
          let [allowed, held] = [window, 0];
          for (const [arrives, size] of steps) {
            if (arrives) {
              const fits = size <= maxPacket && size <= allowed;
              if (!fits) {
                expect(() => side.receive(data(id, size))).toThrow(protocol);
                return;
              }
              side.receive(data(id, size));
              allowed -= size;
              held += size;
            } else {
              const taken = Math.min(size, held);
              side.machine.consumed(id, taken);
              held -= taken;
              allowed += creditOf(side.take());
            }
            expect(allowed + held).toBeLessThanOrEqual(window);
            if (held === 0) expect(allowed).toBeGreaterThan(0);
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it("is not sent after the peer's EOF or our CLOSE", () => {
    const { side, id } = accepted();
    side.receive(data(id, 100), ChannelEof.encode({ recipientChannel: id }));
    side.machine.consumed(id, 1000);
    expect(side.take()).toEqual([]);
    const closed = accepted();
    closed.side.machine.close(closed.id);
    closed.side.take();
    expect(sizeOf(closed.side.receive(data(closed.id, 100)))).toBe(0);
    closed.side.machine.consumed(closed.id, 1000);
    expect(closed.side.take()).toEqual([]);
  });
});

describe("data that we send", () => {
  it("is split at the peer's largest packet, and stops at its window", () => {
    const { side, id } = opened({ window: 250, maxPacket: 100 });
    const given = Uint8Array.from({ length: 400 }, (_, at) => at);
    expect(side.machine.write(id, given)).toBe(250);
    const sent = side.take().map((payload) => ChannelData.decode(payload));
    expect(sent.map(({ data: part }) => part.length)).toEqual([100, 100, 50]);
    expect(concat(...sent.map(({ data: part }) => part))).toEqual(given.subarray(0, 250));
    expect(side.machine.write(id, given)).toBe(0);
  });

  it("has the bytes of the message table (hot path)", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (part) => {
        const { side, id } = opened();
        side.machine.write(id, part);
        expect(side.take()).toEqual(part.length === 0 ? [] : [ChannelData.encode({ recipientChannel: 7, data: part })]);
        const [event] = side.receive(ChannelData.encode({ recipientChannel: id, data: part }));
        expect(event).toEqual({ type: "data", id, data: part, dataType: undefined });
      }),
    );
  });

  it("is extended data if it has a type (RFC 4254 section 5.2)", () => {
    const { side, id } = opened({ window: 250, maxPacket: 100 });
    const given = Uint8Array.from({ length: 150 }, (_, at) => at);
    expect(side.machine.write(id, given, 1)).toBe(150);
    expect(side.take()).toEqual(
      [given.subarray(0, 100), given.subarray(100)].map((part) =>
        ChannelExtendedData.encode({ recipientChannel: 7, dataType: 1, data: part }),
      ),
    );
    expect(side.machine.write(id, given, 1)).toBe(100);
  });

  it.each([
    ["too short", (payload: Uint8Array) => payload.subarray(0, -1)],
    ["too long", (payload: Uint8Array) => concat(payload, nothing, Uint8Array.of(0))],
    ["without a length", (payload: Uint8Array) => payload.subarray(0, 8)],
  ] as const)("is rejected by the receiver if CHANNEL_DATA is %s", (_defect, alter) => {
    const { side, id } = opened();
    expect(() => side.receive(alter(data(id, 10)))).toThrow(
      expect.objectContaining({ code: "protocol", message: expect.stringContaining("CHANNEL_DATA") }),
    );
  });

  it("is never larger than our own largest packet", () => {
    const { side, id } = opened({ window: 0xffff_ffff, maxPacket: 0xffff_ffff });
    expect(side.machine.write(id, new Uint8Array(100_000))).toBe(100_000);
    for (const payload of side.take()) expect(payload.length).toBeLessThanOrEqual(9 + Limits.maxPacket);
  });

  it("waits for window, then emits writable", () => {
    const { side, id } = opened({ window: 10, maxPacket: 100 });
    expect(side.machine.write(id, new Uint8Array(20))).toBe(10);
    expect(side.receive(adjust(id, 5))).toEqual([{ type: "writable", id }]);
    expect(side.receive(adjust(id, 5))).toEqual([]);
    expect(side.machine.write(id, new Uint8Array(10))).toBe(10);
    expect(side.machine.write(id, new Uint8Array(1))).toBe(0);
  });

  it("may start with a window of 0, but not with a largest packet of 0", () => {
    const { side, id } = opened({ window: 0 });
    expect(side.machine.write(id, new Uint8Array(5))).toBe(0);
    expect(side.receive(adjust(id, 5))).toEqual([{ type: "writable", id }]);
    expect(side.machine.write(id, new Uint8Array(5))).toBe(5);
    expect(() => opened({ window: 100, maxPacket: 0 })).toThrow(expect.objectContaining({ code: "protocol" }));
  });

  it("stops when the sink is full, and continues in the order of waiting", () => {
    const side = new Side();
    const other = new Side();
    const ids = [1, 2, 3].map(() => side.machine.openChannel("test", nothing, limits));
    settle(side, other, (event, of) => event.type === "open" && of.machine.confirmOpen(event.id));
    side.writable = false;
    for (const id of ids.toReversed()) expect(side.machine.write(id, new Uint8Array(5))).toBe(0);
    expect(side.events()).toEqual([]);
    side.writable = true;
    const [first, second, third] = ids.toReversed();
    expect(side.machine.next()).toEqual({ type: "writable", id: first });
    // Its data fills the sink again.
    side.writable = false;
    expect(side.machine.write(first ?? -1, new Uint8Array(5))).toBe(0);
    expect(side.machine.next()).toBeUndefined();
    side.writable = true;
    const others = [second, third, first].map((id) => ({ type: "writable", id }));
    expect(side.events()).toEqual(others);
    expect(side.machine.write(ids[0] ?? -1, new Uint8Array(5))).toBe(5);
  });

  it("waits for the sink even if the window has grown", () => {
    const { side, id } = opened({ window: 5, maxPacket: 100 });
    side.machine.write(id, new Uint8Array(10));
    side.writable = false;
    expect(side.receive(adjust(id, 5))).toEqual([]);
    side.writable = true;
    expect(side.events()).toEqual([{ type: "writable", id }]);
  });
});

describe("WINDOW_ADJUST", () => {
  it("may extend a window to 2^32 - 1, and not beyond (RFC 4254 section 5.2)", () => {
    const { side, id } = opened({ window: 1 });
    side.receive(adjust(id, 0xffff_fffe), adjust(id, 0));
    expect(() => side.receive(adjust(id, 1))).toThrow(
      "expected a window of at most 2^32 - 1 bytes, got 4294967295 and 1 more",
    );
  });

  it("is ignored for an unknown channel, because it may cross our CLOSE", () => {
    expect(new Side().receive(adjust(99, 5))).toEqual([]);
  });

  it("is rejected for a channel that is not confirmed", () => {
    const side = new Side();
    const id = side.machine.openChannel("test", nothing, limits);
    expect(() => side.receive(adjust(id, 5))).toThrow(SshError);
  });
});
