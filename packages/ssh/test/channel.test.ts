/** A channel as a byte pipe and as streams (RFC 4254 section 5). */

import type { Liar } from "@postern/testkit";
import {
  type Bytes,
  ChannelClose,
  ChannelData,
  ChannelEof,
  ChannelExtendedData,
  ChannelOpen,
  ChannelOpenConfirmation,
  ChannelRequest,
  ChannelWindowAdjust,
  concat,
  GlobalRequest,
} from "@postern/wire";
import * as Limits from "@postern/wire/limits";
import { describe, expect, it } from "vitest";
import { ByteQueue } from "../src/byte-queue.ts";
import type { SshConnection } from "../src/index.ts";
import { lyingChannel, nothing, recorder, rejection, turns } from "./helpers.ts";

const data = (size: number, fill = 1): Bytes =>
  ChannelData.encode({ recipientChannel: 0, data: new Uint8Array(size).fill(fill) });
const eof = ChannelEof.encode({ recipientChannel: 0 });
const close = ChannelClose.encode({ recipientChannel: 0 });
const ours = { window: 1000, maxPacket: 100 };

/** The messages that the liar has received so far. A request marks the end of them. */
async function sentBy(client: SshConnection, liar: Liar): Promise<Bytes[]> {
  void client.request("marker", nothing).catch(() => {});
  const all: Bytes[] = [];
  for (
    let payload = await liar.next();
    payload !== undefined && payload[0] !== GlobalRequest.number;
    payload = await liar.next()
  )
    all.push(payload);
  return all;
}
const numbers = (payloads: readonly Bytes[]): (number | undefined)[] => payloads.map(([number]) => number);
const credit = (payloads: readonly Bytes[]): number =>
  payloads.reduce((sum, payload) => sum + (payload[0] === 93 ? ChannelWindowAdjust.decode(payload).bytesToAdd : 0), 0);

describe("a channel as a byte pipe", () => {
  it("delivers earlier data at the start, then later data, the end and the close, each once", async () => {
    const { liar, channel } = await lyingChannel();
    liar.send(data(3), data(2));
    await turns();
    const sink = recorder();
    channel.start(sink);
    expect(sink.told).toEqual([]);
    await turns();
    liar.send(data(1), eof, close);
    await turns();
    expect(sink.bytes.reduce((sum, { length }) => sum + length, 0)).toBe(6);
    expect(sink.told.slice(-2)).toEqual(["end", "closed"]);
    await channel.closed;
    expect(() => channel.start(sink)).toThrow(expect.objectContaining({ code: "misuse" }));
    liar.abort();
  });

  it("closes at once after abort(), even if the peer never answers with CLOSE", async () => {
    const { liar, channel } = await lyingChannel({ ours });
    const sink = recorder();
    channel.start(sink);
    channel.abort(new Error("enough"));
    await channel.closed;
    expect(sink.told).toEqual(["closed: enough"]);
    liar.abort();
  });

  it("credits data the consumer accepted, and while paused only data from before", async () => {
    const { liar, client, channel } = await lyingChannel({ ours });
    const sink = recorder();
    channel.start({
      ...sink,
      data(chunk) {
        sink.data(chunk);
        if (sink.bytes.length === 6) channel.pause();
      },
    });
    for (let n = 0; n < 10; n++) liar.send(data(100));
    await turns();
    expect(sink.told).toHaveLength(6);
    // The consumer accepted five chunks and paused while it accepted the sixth.
    expect(credit(await sentBy(client, liar))).toBe(500);
    channel.resume();
    await turns();
    expect(sink.bytes.reduce((sum, { length }) => sum + length, 0)).toBe(1000);
    // The uncredited chunk, and the four that were buffered, in one credit.
    expect(credit(await sentBy(client, liar))).toBe(500);
    liar.abort();
  });

  it("buffers at most its window for a consumer that reads nothing, then ends the connection", async () => {
    const { liar, client } = await lyingChannel({ ours });
    for (let n = 0; n < 10; n++) liar.send(data(100));
    expect(credit(await sentBy(client, liar))).toBe(0);
    liar.send(data(1));
    expect(await rejection(client.closed)).toMatchObject({
      code: "protocol",
      message: "expected data within the window of 0 bytes, got 1",
    });
  });

  it("returns false when the peer's window is used up, and drains when everything is sent", async () => {
    const { liar, client, channel } = await lyingChannel({ window: 10 });
    const sink = recorder();
    channel.start(sink);
    expect(channel.write(new Uint8Array(4))).toBe(true);
    expect(channel.write(new Uint8Array(8))).toBe(false);
    expect(channel.write(new Uint8Array(3))).toBe(false);
    liar.send(ChannelWindowAdjust.encode({ recipientChannel: 0, bytesToAdd: 4 }));
    await turns();
    expect(sink.told).toEqual([]);
    liar.send(ChannelWindowAdjust.encode({ recipientChannel: 0, bytesToAdd: 1 }));
    await turns();
    expect(sink.told).toEqual(["drain"]);
    expect((await sentBy(client, liar)).map((payload) => ChannelData.decode(payload).data.length)).toEqual([
      4, 6, 2, 2, 1,
    ]);
    liar.abort();
  });

  it("sends EOF after all pending data (RFC 4254 section 5.3)", async () => {
    const { liar, client, channel } = await lyingChannel({ window: 5 });
    channel.write(new Uint8Array(8));
    channel.end();
    channel.end();
    expect(() => channel.write(new Uint8Array(1))).toThrow(expect.objectContaining({ code: "misuse" }));
    expect(numbers(await sentBy(client, liar))).toEqual([94]);
    liar.send(ChannelWindowAdjust.encode({ recipientChannel: 0, bytesToAdd: 9 }));
    await turns();
    expect(numbers(await sentBy(client, liar))).toEqual([94, 96]);
    liar.abort();
  });

  it("copies a chunk it writes, whether it is sent or waits for the window", async () => {
    const { liar, client, channel } = await lyingChannel({ window: 5 });
    const chunk = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
    expect([channel.memory?.copies, channel.write(chunk)]).toEqual([true, false]);
    chunk.fill(0xee);
    const later = Uint8Array.of(9);
    expect(channel.write(later)).toBe(false);
    later.fill(0xee);
    channel.end();
    liar.send(ChannelWindowAdjust.encode({ recipientChannel: 0, bytesToAdd: 9 }));
    await turns();
    const sent = (await sentBy(client, liar)).filter(([number]) => number === ChannelData.number);
    expect(concat(...sent.map((payload) => ChannelData.decode(payload).data))).toEqual(
      Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9),
    );
    liar.abort();
  });

  it("stops its writer when our output is full, before it buffers anything, and drains when there is room", async () => {
    const { liar, client, channel } = await lyingChannel({ window: 2 ** 30 });
    const sink = recorder();
    channel.start(sink);
    const chunk = new Uint8Array(32 * 1024);
    let taken = 0;
    while (channel.write(chunk)) taken += chunk.length;
    expect(taken + chunk.length).toBe(Limits.outputHighWater);
    expect(channel.counters).toEqual({ bytesIn: 0, bytesOut: Limits.outputHighWater, stalls: 1 });
    await turns();
    await sentBy(client, liar);
    expect(sink.told).toEqual(["drain"]);
    liar.abort();
  });

  it("returns true for a chunk that fills the window exactly, because no drain may follow before the end", async () => {
    const { liar, client, channel } = await lyingChannel({ window: 5 });
    expect(channel.write(new Uint8Array(5))).toBe(true);
    channel.end();
    expect(numbers(await sentBy(client, liar))).toEqual([94, 96]);
    liar.abort();
  });

  it("sends pending data, EOF and CLOSE after close(), and drops and credits further input", async () => {
    const { liar, client, channel } = await lyingChannel({ window: 5, ours });
    const sink = recorder();
    channel.start(sink);
    channel.write(new Uint8Array(8));
    channel.close();
    for (let n = 0; n < 10; n++) liar.send(data(100));
    await turns();
    const waiting = await sentBy(client, liar);
    expect(numbers(waiting).filter((number) => number !== 93)).toEqual([94]);
    expect(credit(waiting)).toBe(1000);
    expect(sink.told).toEqual([]);
    liar.send(ChannelWindowAdjust.encode({ recipientChannel: 0, bytesToAdd: 9 }));
    await turns();
    expect(numbers(await sentBy(client, liar))).toEqual([94, 96, 97]);
    liar.send(close);
    await channel.closed;
    await turns();
    expect(sink.told).toEqual(["closed"]);
    liar.abort();
  });

  it("sends CLOSE at once after abort(), passes the reason to the sink, and drops writes", async () => {
    const { liar, client, channel } = await lyingChannel({ window: 5 });
    const sink = recorder();
    channel.start(sink);
    channel.write(new Uint8Array(8));
    channel.abort(new Error("why"));
    channel.abort();
    expect(channel.write(new Uint8Array(1))).toBe(false);
    channel.end();
    channel.close();
    expect(numbers(await sentBy(client, liar))).toEqual([94, 97]);
    liar.send(data(5), eof, close);
    await turns();
    expect(sink.told).toEqual(["closed: why"]);
    liar.abort();
  });

  it("answers CLOSE with CLOSE (RFC 4254 section 5.3), and keeps unread data for the consumer", async () => {
    const { liar, client, channel } = await lyingChannel();
    channel.pause();
    const sink = recorder();
    channel.start(sink);
    liar.send(data(7), close);
    await turns();
    expect(numbers(await sentBy(client, liar))).toEqual([97]);
    // The channel is closed while its consumer is behind. A target that answers now must not fail.
    expect(channel.write(new Uint8Array(5))).toBe(false);
    expect(sink.told).toEqual([]);
    channel.resume();
    expect(sink.told).toEqual(["data 7", "end", "closed"]);
    liar.abort();
  });

  it("drops and credits extended data, so that the peer does not stall", async () => {
    const { liar, client, channel } = await lyingChannel({ ours });
    const sink = recorder();
    channel.start(sink);
    for (let n = 0; n < 10; n++)
      liar.send(ChannelExtendedData.encode({ recipientChannel: 0, dataType: 1, data: new Uint8Array(100) }));
    await turns();
    expect(credit(await sentBy(client, liar))).toBe(1000);
    expect(sink.told).toEqual([]);
    liar.abort();
  });

  it.each(["data", "end", "closed", "drain"] as const)(
    "ends only its own channel when its consumer throws in %s",
    async (where) => {
      const { liar, client, channel } = await lyingChannel({ window: 1 });
      channel.start({
        ...recorder(),
        [where]: () => {
          throw new TypeError("of the program");
        },
      });
      channel.write(new Uint8Array(2));
      liar.send(ChannelWindowAdjust.encode({ recipientChannel: 0, bytesToAdd: 5 }), data(1), eof, close);
      await turns();
      if (where !== "closed") expect(await rejection(channel.closed)).toBeInstanceOf(TypeError);
      expect(client.channelCount).toBe(0);
      expect(numbers(await sentBy(client, liar))).toContain(97);
      liar.abort();
    },
  );

  it("does not block other channels when one stalls, in both directions", async () => {
    const { liar, client, channel } = await lyingChannel({ window: 1, ours });
    channel.start(recorder());
    channel.pause();
    channel.write(new Uint8Array(1000));
    liar.send(data(100), data(100));
    const opening = client.openChannel("other", nothing);
    const { senderChannel } = ChannelOpen.decode(await liar.until(ChannelOpen.number));
    liar.send(
      ChannelOpenConfirmation.encode({
        recipientChannel: senderChannel,
        senderChannel: 8,
        initialWindow: 500,
        maxPacket: 100,
        specificData: nothing,
      }),
    );
    const other = await opening;
    const sink = recorder();
    other.start(sink);
    expect(other.write(new Uint8Array(400))).toBe(true);
    liar.send(ChannelData.encode({ recipientChannel: senderChannel, data: new Uint8Array(30) }));
    await turns();
    expect(sink.told).toEqual(["data 30"]);
    expect(numbers(await sentBy(client, liar))).toEqual([94, 94, 94, 94]);
    liar.abort();
  });
});

describe("channel requests", () => {
  it("resolve with the peer's answers in order, and an aborted one keeps its place", async () => {
    const { liar, client, channel } = await lyingChannel();
    const abort = new AbortController();
    const [first, second] = [
      channel.request("one", nothing, { signal: abort.signal }),
      channel.request("two", nothing),
    ];
    abort.abort(new Error("why"));
    expect(await rejection(first)).toBe(abort.signal.reason);
    expect((await sentBy(client, liar)).map((payload) => ChannelRequest.decode(payload).requestType)).toEqual([
      "one",
      "two",
    ]);
    liar.send(Uint8Array.of(100, 0, 0, 0, 0), Uint8Array.of(99, 0, 0, 0, 0));
    expect(await second).toBe(true);
    liar.abort();
  });

  it("reject when the channel closes first, and at once when it is closed already", async () => {
    const { liar, channel } = await lyingChannel();
    const asked = channel.request("one", nothing);
    liar.send(close);
    expect(await rejection(asked)).toMatchObject({ code: "closed" });
    expect(await rejection(channel.request("two", nothing))).toMatchObject({ code: "closed" });
    liar.abort();
  });
});

describe("a byte queue", () => {
  it("uses about as much memory as its bytes, however small the chunks", () => {
    const queue = new ByteQueue();
    const window = 20_000;
    for (let n = 0; n < window; n++) queue.push(new Uint8Array(1024).subarray(n % 256, (n % 256) + 1).fill(n));
    const chunks: Bytes[] = [];
    for (let chunk = queue.shift(); chunk !== undefined; chunk = queue.shift()) chunks.push(chunk);
    expect(concat(...chunks)).toEqual(Uint8Array.from({ length: window }, (_, n) => n));
    expect(chunks.length).toBeLessThan(window / 1000);
    expect(chunks.reduce((sum, { buffer }) => sum + buffer.byteLength, 0)).toBeLessThan(1.3 * window);
  });

  it("keeps the order, even when chunks are removed meanwhile, and counts dropped bytes", () => {
    const queue = new ByteQueue();
    const small = (fill: number): Bytes => new Uint8Array(100).fill(fill).subarray(0, 10);
    queue.push(small(1));
    const first = queue.shift();
    queue.push(small(2));
    queue.push(new Uint8Array(5000).fill(3));
    queue.push(small(4));
    queue.push(new Uint8Array(20_000).fill(5).subarray(0, 9000));
    expect(first).toEqual(new Uint8Array(10).fill(1));
    expect([queue.shift()?.[0], queue.shift()?.[0], queue.isEmpty]).toEqual([2, 3, false]);
    expect(queue.clear()).toBe(9010);
    expect([queue.isEmpty, queue.shift()]).toEqual([true, undefined]);
  });
});
