/** Window accounting, RFC 4254 section 5.2: exact to the byte. */

import {
  ChannelData,
  ChannelEof,
  ChannelExtendedData,
  ChannelWindowAdjust,
  concat,
  Limits,
  SshError,
} from "@postern/wire";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ConnectionEvent } from "../src/index.ts";
import { accepted, limits, nothing, opened, Side, settle } from "./twins.ts";

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
] as const)("what a peer may send on a channel we %s", (_how, make) => {
  it("is data up to the window exactly, and not a byte more", () => {
    const { side, id } = make({}, { window: 250, maxPacket: 100 });
    expect(sizeOf(side.hear(data(id, 100), data(id, 100), data(id, 50)))).toBe(250);
    expect(() => side.hear(data(id, 1))).toThrow(
      expect.objectContaining({ code: "protocol", message: "expected data within the window of 0 bytes, got 1" }),
    );
  });

  it("in one message is the largest packet exactly, and not a byte more", () => {
    const { side, id } = make();
    expect(sizeOf(side.hear(data(id, limits.maxPacket)))).toBe(limits.maxPacket);
    expect(() => side.hear(data(id, limits.maxPacket + 1))).toThrow(
      "expected at most 100 bytes in one data message, got 101",
    );
  });

  it("counts extended data and ordinary data against the one window", () => {
    const { side, id } = make({}, { window: 150, maxPacket: 100 });
    expect(side.hear(extended(id, 100), data(id, 50)).map((event) => event.type === "data" && event.dataType)).toEqual([
      1,
      undefined,
    ]);
    expect(() => side.hear(extended(id, 1))).toThrow(protocol);
  });

  it("may be empty messages, which cost no window", () => {
    const { side, id } = make({}, { window: 10, maxPacket: 10 });
    side.hear(data(id, 10));
    expect(side.hear(data(id, 0), data(id, 0)).map(({ type }) => type)).toEqual(["data", "data"]);
  });

  it("is nothing after EOF, ordinary or extended (RFC 4254 section 5.3)", () => {
    for (const late of [data, extended]) {
      const { side, id } = make();
      side.hear(ChannelEof.encode({ recipientChannel: id }));
      expect(() => side.hear(late(id, 1))).toThrow("expected no data after EOF");
    }
  });
});

describe("credit", () => {
  it("is given for what was consumed, never for what merely came", () => {
    const { side, id } = accepted();
    side.hear(data(id, 100), data(id, 100), data(id, 100), data(id, 100));
    expect(side.take()).toEqual([]);
    side.machine.consumed(id, 399);
    expect(side.take()).toEqual([]);
    side.hear(data(id, 100), data(id, 1));
    side.machine.consumed(id, 101);
    expect(side.take()).toEqual([adjust(7, 500)]);
    side.machine.consumed(id, 100);
    expect(side.take()).toEqual([]);
  });

  it("comes after eight packets, or half a window when that is less: a stream never stalls for a late credit", () => {
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

  it("reopens the window by its own size, and not by a byte more", () => {
    const { side, id } = accepted({}, { window: 1000, maxPacket: 1000 });
    side.hear(data(id, 600));
    side.machine.consumed(id, 600);
    expect(creditOf(side.take())).toBe(600);
    side.hear(data(id, 1000));
    expect(() => side.hear(data(id, 1))).toThrow(protocol);
  });

  it("adds up: what came, what was credited and what is left is the window, at any time", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 500 }),
        fc.integer({ min: 1, max: 200 }),
        fc.array(fc.tuple(fc.boolean(), fc.nat(250)), { maxLength: 60 }),
        (window, maxPacket, steps) => {
          const { side, id } = accepted({}, { window, maxPacket });
          let [mayCome, held] = [window, 0];
          for (const [comes, size] of steps) {
            if (comes) {
              const fits = size <= maxPacket && size <= mayCome;
              if (!fits) {
                expect(() => side.hear(data(id, size))).toThrow(protocol);
                return;
              }
              side.hear(data(id, size));
              mayCome -= size;
              held += size;
            } else {
              const taken = Math.min(size, held);
              side.machine.consumed(id, taken);
              held -= taken;
              mayCome += creditOf(side.take());
            }
            expect(mayCome + held).toBeLessThanOrEqual(window);
            if (held === 0) expect(mayCome).toBeGreaterThan(0);
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it("is not given after the peer's EOF or our CLOSE: nothing more will come", () => {
    const { side, id } = accepted();
    side.hear(data(id, 100), ChannelEof.encode({ recipientChannel: id }));
    side.machine.consumed(id, 1000);
    expect(side.take()).toEqual([]);
    const closed = accepted();
    closed.side.machine.close(closed.id);
    closed.side.take();
    expect(sizeOf(closed.side.hear(data(closed.id, 100)))).toBe(0);
    closed.side.machine.consumed(closed.id, 1000);
    expect(closed.side.take()).toEqual([]);
  });
});

describe("what we send", () => {
  it("is cut to the peer's largest packet and stops at its window exactly", () => {
    const { side, id } = opened({ window: 250, maxPacket: 100 });
    const given = Uint8Array.from({ length: 400 }, (_, at) => at);
    expect(side.machine.write(id, given)).toBe(250);
    const sent = side.take().map((payload) => ChannelData.decode(payload));
    expect(sent.map(({ data: part }) => part.length)).toEqual([100, 100, 50]);
    expect(concat(...sent.map(({ data: part }) => part))).toEqual(given.subarray(0, 250));
    expect(side.machine.write(id, given)).toBe(0);
  });

  it("is the very message of the table (hot path)", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (part) => {
        const { side, id } = opened();
        side.machine.write(id, part);
        expect(side.take()).toEqual(part.length === 0 ? [] : [ChannelData.encode({ recipientChannel: 7, data: part })]);
        const [event] = side.hear(ChannelData.encode({ recipientChannel: id, data: part }));
        expect(event).toEqual({ type: "data", id, data: part, dataType: undefined });
      }),
    );
  });

  it.each([
    ["too short", (payload: Uint8Array) => payload.subarray(0, -1)],
    ["too long", (payload: Uint8Array) => concat(payload, nothing, Uint8Array.of(0))],
    ["without a length", (payload: Uint8Array) => payload.subarray(0, 8)],
  ] as const)("and a CHANNEL_DATA that is %s is refused", (_what, spoil) => {
    const { side, id } = opened();
    expect(() => side.hear(spoil(data(id, 10)))).toThrow(
      expect.objectContaining({ code: "protocol", message: expect.stringContaining("CHANNEL_DATA") }),
    );
  });

  it("is never larger than our own largest packet, whatever the peer would take", () => {
    const { side, id } = opened({ window: 0xffff_ffff, maxPacket: 0xffff_ffff });
    expect(side.machine.write(id, new Uint8Array(100_000))).toBe(100_000);
    for (const payload of side.take()) expect(payload.length).toBeLessThanOrEqual(9 + Limits.maxPacket);
  });

  it("waits for credit, and is told when it may go on", () => {
    const { side, id } = opened({ window: 10, maxPacket: 100 });
    expect(side.machine.write(id, new Uint8Array(20))).toBe(10);
    expect(side.hear(adjust(id, 5))).toEqual([{ type: "writable", id }]);
    expect(side.hear(adjust(id, 5))).toEqual([]);
    expect(side.machine.write(id, new Uint8Array(10))).toBe(10);
    expect(side.machine.write(id, new Uint8Array(1))).toBe(0);
  });

  it("may begin with a window of 0, but not with a packet of 0 bytes, which could carry nothing ever", () => {
    const { side, id } = opened({ window: 0 });
    expect(side.machine.write(id, new Uint8Array(5))).toBe(0);
    expect(side.hear(adjust(id, 5))).toEqual([{ type: "writable", id }]);
    expect(side.machine.write(id, new Uint8Array(5))).toBe(5);
    expect(() => opened({ window: 100, maxPacket: 0 })).toThrow(expect.objectContaining({ code: "protocol" }));
  });

  it("stops when the sink is full, and goes on in the order of waiting", () => {
    const side = new Side();
    const other = new Side();
    const ids = [1, 2, 3].map(() => side.machine.openChannel("test", nothing, limits));
    settle(side, other, (event, of) => event.type === "open" && of.machine.confirmOpen(event.id));
    side.writable = false;
    for (const id of ids.toReversed()) expect(side.machine.write(id, new Uint8Array(5))).toBe(0);
    side.machine.resumed();
    expect(side.events().map((event) => "id" in event && event.id)).toEqual(ids.toReversed());
    side.writable = true;
    expect(side.machine.write(ids[0] ?? -1, new Uint8Array(5))).toBe(5);
  });

  it("credit that comes while the sink is full wakes nobody until it is not", () => {
    const { side, id } = opened({ window: 5, maxPacket: 100 });
    side.machine.write(id, new Uint8Array(10));
    side.writable = false;
    expect(side.hear(adjust(id, 5))).toEqual([]);
    side.writable = true;
    side.machine.resumed();
    expect(side.events()).toEqual([{ type: "writable", id }]);
  });
});

describe("WINDOW_ADJUST", () => {
  it("may raise a window to 2^32 - 1, and not beyond (RFC 4254 section 5.2)", () => {
    const { side, id } = opened({ window: 1 });
    side.hear(adjust(id, 0xffff_fffe), adjust(id, 0));
    expect(() => side.hear(adjust(id, 1))).toThrow(
      "expected a window of at most 2^32 - 1 bytes, got 4294967295 and 1 more",
    );
  });

  it("for a channel we do not have is ignored: it may cross our CLOSE", () => {
    expect(new Side().hear(adjust(99, 5))).toEqual([]);
  });

  it("for a channel that is not confirmed is refused", () => {
    const side = new Side();
    const id = side.machine.openChannel("test", nothing, limits);
    expect(() => side.hear(adjust(id, 5))).toThrow(SshError);
  });
});
