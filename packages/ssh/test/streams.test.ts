/** The streams of a channel and of any pipe, and pipes over streams. */

import type { Liar } from "@postern/testkit";
import { pipePair, seededRandom } from "@postern/testkit";
import {
  type Bytes,
  ChannelClose,
  ChannelData,
  ChannelEof,
  ChannelWindowAdjust,
  GlobalRequest,
  SshError,
} from "@postern/wire";
import { describe, expect, it } from "vitest";
import { pipeFromStreams, type SshConnection, streamsFromPipe } from "../src/index.ts";
import { lyingChannel, nothing, recorder, rejection, turns } from "./helpers.ts";
import { world } from "./world.ts";

const data = (size: number): Bytes => ChannelData.encode({ recipientChannel: 0, data: new Uint8Array(size) });
const eof = ChannelEof.encode({ recipientChannel: 0 });
const close = ChannelClose.encode({ recipientChannel: 0 });
const ours = { window: 1000, maxPacket: 100 };
async function credited(client: SshConnection, liar: Liar): Promise<number> {
  void client.request("marker", nothing).catch(() => {});
  let sum = 0;
  for (
    let payload = await liar.next();
    payload !== undefined && payload[0] !== GlobalRequest.number;
    payload = await liar.next()
  ) {
    if (payload[0] === 93) sum += ChannelWindowAdjust.decode(payload).bytesToAdd;
  }
  return sum;
}

describe("a channel's readable", () => {
  it("credits a chunk when the reader asks for the next one, and not before", async () => {
    const { liar, client, channel } = await lyingChannel({ ours });
    const reader = channel.readable.getReader();
    for (let n = 0; n < 10; n++) liar.send(data(100));
    await turns();
    expect(await credited(client, liar)).toBe(0);
    let read = 0;
    const step = async (): Promise<void> => {
      const { value = nothing } = await reader.read();
      read += value.length;
    };
    while (read < 400) await step();
    const before = await credited(client, liar);
    expect(before).toBeLessThan(read);
    while (read < 1000) await step();
    const last = rejection(reader.read());
    await turns();
    // The last ones are credited in steps of three packets.
    expect(before + (await credited(client, liar))).toBeGreaterThan(1000 - 300);
    liar.abort();
    expect(await last).toMatchObject({ code: "closed" });
  });

  it("ends at the peer's EOF, after everything before it", async () => {
    const { liar, channel } = await lyingChannel();
    liar.send(data(3), data(4), eof);
    expect((await new Response(channel.readable).arrayBuffer()).byteLength).toBe(7);
    liar.abort();
  });

  it("drops and credits the rest when it is cancelled, and the writable stays open", async () => {
    const { liar, client, channel } = await lyingChannel({ ours });
    liar.send(data(100));
    await channel.readable.cancel();
    for (let n = 0; n < 9; n++) liar.send(data(100));
    await turns();
    expect(await credited(client, liar)).toBe(1000);
    await channel.writable.getWriter().write(new Uint8Array(3));
    expect((await liar.until(ChannelData.number)).length).toBe(9 + 3);
    liar.send(eof, close);
    await channel.closed;
    liar.abort();
  });

  it("errors when the connection breaks, so that this never looks like an end", async () => {
    const { liar, channel } = await lyingChannel();
    const reader = channel.readable.getReader();
    liar.send(data(3));
    expect((await reader.read()).value).toHaveLength(3);
    liar.abort();
    expect(await rejection(reader.read())).toMatchObject({ code: "closed" });
  });
});

describe("a channel's writable", () => {
  it("resolves a write when its bytes are passed to the transport, not before", async () => {
    const { liar, channel } = await lyingChannel({ window: 10 });
    const writer = channel.writable.getWriter();
    await writer.write(new Uint8Array(10));
    let done = false;
    const second = writer.write(new Uint8Array(5)).then(() => {
      done = true;
    });
    await turns();
    expect(done).toBe(false);
    liar.send(ChannelWindowAdjust.encode({ recipientChannel: 0, bytesToAdd: 5 }));
    await second;
    liar.abort();
  });

  it("sends EOF when it is closed", async () => {
    const { liar, channel } = await lyingChannel();
    await channel.writable.close();
    expect(await liar.until(ChannelEof.number)).toEqual(ChannelEof.encode({ recipientChannel: 7 }));
    liar.abort();
  });

  it("rejects pending and later writes as soon as the peer has closed, even if the program does not read", async () => {
    const { liar, channel } = await lyingChannel({ window: 10 });
    const reader = channel.readable.getReader();
    const writer = channel.writable.getWriter();
    const waiting = rejection(writer.write(new Uint8Array(20)));
    liar.send(data(50), close);
    expect(await waiting).toMatchObject({ code: "closed" });
    expect(
      await rejection(channel.writable.locked ? writer.write(new Uint8Array(1)) : Promise.resolve()),
    ).toMatchObject({ code: "closed" });
    // Data from before the close can still be read.
    expect((await reader.read()).value).toHaveLength(50);
    expect((await reader.read()).done).toBe(true);
    liar.abort();
  });

  it("rejects writes at once when it is created after the end", async () => {
    const { liar, channel } = await lyingChannel();
    liar.send(data(50), close);
    await channel.closed;
    expect(await rejection(channel.writable.getWriter().write(new Uint8Array(1)))).toMatchObject({ code: "closed" });
    liar.abort();
  });

  it("may be closed after a clean end", async () => {
    const { liar, channel } = await lyingChannel();
    const writer = channel.writable.getWriter();
    liar.send(eof, close);
    await channel.closed;
    await writer.close();
    liar.abort();
  });

  it("aborts the channel when it is aborted, and the reader gets the reason", async () => {
    const { liar, channel } = await lyingChannel();
    const reading = rejection(channel.readable.getReader().read());
    await channel.writable.abort(new Error("why"));
    expect(await liar.until(ChannelClose.number)).toBeDefined();
    liar.send(close);
    expect(await reading).toMatchObject({ message: "why" });
    liar.abort();
  });

  it("errors when the connection breaks, and its `closed` rejects", async () => {
    const { liar, channel } = await lyingChannel();
    const writer = channel.writable.getWriter();
    const closed = rejection(writer.closed);
    liar.abort();
    expect(await closed).toMatchObject({ code: "closed" });
    expect(await rejection(writer.write(new Uint8Array(1)))).toMatchObject({ code: "closed" });
  });
});

describe("a pipe over streams", () => {
  /** A pipe over streams whose other ends are streams too. */
  const overStreams = () => {
    const [left, right] = pipePair();
    return [pipeFromStreams(streamsFromPipe(left)), pipeFromStreams(streamsFromPipe(right))] as const;
  };

  it("carries a whole connection", async () => {
    const [left, right] = overStreams();
    const { client, server } = await world({
      pipes: [left, right],
      server: {
        onChannelOpen(open) {
          const channel = open.accept();
          channel.readable.pipeTo(channel.writable).catch(() => {});
        },
      },
    });
    const channel = await client.openChannel("test", nothing);
    const sent = seededRandom("streams")(400_000);
    const received = new Response(channel.readable).arrayBuffer();
    const writer = channel.writable.getWriter();
    await writer.write(sent);
    await writer.close();
    expect(new Uint8Array(await received)).toEqual(sent);
    await client.close();
    await rejection(server.closed);
  });

  it("half-closes each direction on its own, and closes when both have ended", async () => {
    const [left, right] = overStreams();
    const [ofLeft, ofRight] = [recorder(), recorder()];
    left.start(ofLeft);
    right.start(ofRight);
    left.write(new Uint8Array(3));
    left.end();
    await turns();
    expect(ofRight.told).toEqual(["data 3", "end"]);
    right.write(new Uint8Array(4));
    right.end();
    await turns();
    expect(ofLeft.told.filter((told) => told !== "drain")).toEqual(["data 4", "end", "closed"]);
    expect(ofRight.told.filter((told) => told !== "drain")).toEqual(["data 3", "end", "closed"]);
  });

  it("delivers nothing while it is paused, and stops writers if the program does not read", async () => {
    const [left, right] = overStreams();
    const [ofLeft, ofRight] = [recorder(), recorder()];
    right.pause();
    left.start(ofLeft);
    right.start(ofRight);
    let written = 0;
    while (left.write(new Uint8Array(10_000)) && written++ < 1000) await turns();
    expect(written).toBeLessThan(20);
    expect(ofRight.told.length).toBeLessThan(2);
    right.resume();
    await turns(200);
    expect(ofLeft.told).toEqual(["drain"]);
  });

  it("drains when its writes are done, even if the writer's `ready` never settles, as in workerd", async () => {
    const { readable } = new TransformStream<Bytes>();
    const writable = new WritableStream<Bytes>({}, { highWaterMark: 2 });
    const writer = writable.getWriter();
    Object.defineProperty(writer, "ready", { value: new Promise(() => {}) });
    const pipe = pipeFromStreams({
      readable,
      writable: Object.assign(Object.create(writable), { getWriter: () => writer }),
    });
    const told = recorder();
    pipe.start(told);
    expect([1, 2, 3].map((size) => pipe.write(new Uint8Array(size)))).toEqual([true, false, false]);
    await turns();
    expect(told.told).toEqual(["drain"]);
    expect(pipe.write(new Uint8Array(1))).toBe(true);
  });

  it("accepts only two unlocked streams and chunks of bytes", async () => {
    const { readable, writable } = new TransformStream<Bytes>();
    const locked = new TransformStream<Bytes>();
    locked.readable.getReader();
    for (const streams of [undefined, null, {}, { readable }, { writable }, { readable: locked.readable, writable }]) {
      expect(() => pipeFromStreams(streams as never)).toThrow(expect.objectContaining({ code: "misuse" }));
    }
    const texts = new ReadableStream({ pull: (controller) => controller.enqueue("SSH-2.0-text\r\n") });
    const pipe = pipeFromStreams({ readable: texts, writable: new WritableStream() } as never);
    const told = recorder();
    pipe.start(told);
    await turns();
    expect(told.told).toEqual(["closed: expected chunks of type Uint8Array, got a string"]);
  });

  it("reports an abort once on both sides, before and after it is started", async () => {
    const [left, right] = overStreams();
    const [ofLeft, ofRight] = [recorder(), recorder()];
    right.start(ofRight);
    left.abort(new SshError("aborted", "why"));
    left.start(ofLeft);
    left.abort();
    await turns();
    expect(ofLeft.told).toEqual(["closed: why"]);
    expect(ofRight.told).toHaveLength(1);
    expect(ofRight.told[0]).toMatch(/^closed: /);
    expect(left.write(new Uint8Array(1))).toBe(false);
  });
});
