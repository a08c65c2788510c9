/** The shared read buffer, joined writes, and freed memory. */
import * as net from "node:net";
import type { BytePipe } from "@postern/ssh";
import { type Bytes, concat, utf8 } from "@postern/wire";
import { afterEach, describe, expect, it } from "vitest";
import { dialPipe } from "../src/dial.ts";
import { free } from "../src/free.ts";
import { socketPipe } from "../src/socket.ts";

const servers: net.Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

/** A connected pipe, and the accepted socket. */
async function pair(): Promise<[BytePipe, net.Socket]> {
  const server = net.createServer({ allowHalfOpen: true });
  servers.push(server);
  const accepted = new Promise<net.Socket>((resolve) => server.once("connection", resolve));
  await new Promise<void>((resolve) => server.listen({ host: "127.0.0.1", port: 0 }, resolve));
  const { port } = server.address() as net.AddressInfo;
  const pipe = await dialPipe({ host: "127.0.0.1", port }, {});
  return [pipe, await accepted];
}

const nothing = { end() {}, drain() {}, closed() {} };
const pattern = (size: number, seed: number): Bytes => Uint8Array.from({ length: size }, (_, at) => (at * seed) % 251);

/** Resolves with the chunks that a pipe delivers until its end. `keep` is applied to each. */
function collect(pipe: BytePipe, borrows: boolean, keep: (chunk: Bytes) => Bytes): Promise<Bytes[]> {
  const chunks: Bytes[] = [];
  return new Promise((resolve) => {
    pipe.start({
      ...nothing,
      memory: { borrows },
      data: (chunk) => void chunks.push(keep(chunk)),
      end: () => resolve(chunks),
    });
  });
}

describe("a connected socket", () => {
  it("passes one buffer of all sockets to a sink that borrows", async () => {
    const [[one, toOne], [other, toOther]] = await Promise.all([pair(), pair()]);
    const collected = [collect(one, true, (chunk) => chunk), collect(other, true, (chunk) => chunk)];
    toOne.end("first");
    toOther.end("second");
    const [[first], [second]] = (await Promise.all(collected)) as [Bytes[], Bytes[]];
    expect(first?.buffer).toBe(second?.buffer);
    for (const pipe of [one, other]) pipe.close();
  });

  it("passes new chunks to a sink that does not borrow", async () => {
    const [[one, toOne], [other, toOther]] = await Promise.all([pair(), pair()]);
    const collected = [collect(one, false, (chunk) => chunk), collect(other, false, (chunk) => chunk)];
    const sent = [pattern(300_000, 7), pattern(300_000, 11)];
    toOne.end(sent[0] ?? "");
    toOther.end(sent[1] ?? "");
    const arrived = (await Promise.all(collected)).map((chunks) => concat(...chunks));
    expect(arrived.map((bytes, at) => Buffer.compare(bytes, sent[at] ?? bytes.subarray(1)))).toEqual([0, 0]);
    for (const pipe of [one, other]) pipe.close();
  });

  it("delivers the same bytes to a sink that borrows, with pauses in between", async () => {
    const [pipe, peer] = await pair();
    const collected = collect(pipe, true, (chunk) => {
      pipe.pause();
      setImmediate(() => pipe.resume());
      return chunk.slice();
    });
    const sent = pattern(1_000_000, 13);
    peer.end(sent);
    expect(Buffer.compare(concat(...(await collected)), sent)).toBe(0);
    pipe.close();
  });

  it("reports each written chunk once and in order, however many were written in one turn", async () => {
    const [pipe, peer] = await pair();
    const told: Bytes[] = [];
    let all: () => void = () => {};
    const done = new Promise<void>((resolve) => {
      all = resolve;
    });
    const chunks = [1, 5000, 3, 70_000, 20_000, 2_000_000, 9].map((size) => pattern(size, 3));
    pipe.start({
      ...nothing,
      data() {},
      memory: {
        written(chunk) {
          told.push(chunk);
          if (told.length === chunks.length) all();
        },
      },
    });
    const arrived = new Promise<Bytes>((resolve) => {
      const parts: Bytes[] = [];
      peer.on("data", (part: Bytes) => parts.push(part));
      peer.once("end", () => resolve(concat(...parts)));
    });
    for (const chunk of chunks) pipe.write(chunk);
    await done;
    pipe.end();
    expect(told.every((chunk, at) => chunk === chunks[at])).toBe(true);
    expect(Buffer.compare(await arrived, concat(...chunks))).toBe(0);
    peer.end();
    pipe.close();
  });

  it("accepts any number of writes within one turn", async () => {
    const [pipe, peer] = await pair();
    pipe.start({ ...nothing, data() {} });
    let received = 0;
    peer.on("data", (part: Bytes) => {
      received += part.length;
    });
    const packet = pattern(32 * 1024, 5);
    // Loopback accepts the first eight at once. A writer that gets `false` counts as slow.
    const answers = Array.from({ length: 40 }, () => pipe.write(packet.slice()));
    expect(answers.slice(0, 8)).not.toContain(false);
    pipe.end();
    await new Promise<void>((resolve) => peer.once("end", () => resolve()));
    expect(received).toBe(40 * packet.length);
    peer.end();
  });

  it("sends the writes of the turn in which it is ended, and drops them when it is aborted", async () => {
    const [[ended, atEnd], [aborted, atAbort]] = await Promise.all([pair(), pair()]);
    for (const pipe of [ended, aborted]) pipe.start({ ...nothing, data() {} });
    const arrived = new Promise<string>((resolve) => {
      let text = "";
      atEnd.on("data", (part) => {
        text += String(part);
      });
      atEnd.once("end", () => resolve(text));
    });
    for (const part of ["one ", "two ", "three"]) ended.write(utf8(part));
    ended.end();
    const closed = new Promise<void>((resolve) => atAbort.once("close", () => resolve()));
    // It answers what it was sent, and learns by that of the reset.
    atAbort.on("error", () => {}).on("data", () => atAbort.write("?"));
    atAbort.once("end", () => atAbort.end());
    for (const part of ["one", "two"]) aborted.write(utf8(part));
    aborted.abort();
    expect(await arrived).toBe("one two three");
    await closed;
    atEnd.end();
  });
});

describe("an accepted socket", () => {
  it("passes new chunks to every sink", async () => {
    const server = net.createServer({ allowHalfOpen: true, pauseOnConnect: true });
    servers.push(server);
    const accepted = new Promise<net.Socket>((resolve) => server.once("connection", resolve));
    await new Promise<void>((resolve) => server.listen({ host: "127.0.0.1", port: 0 }, resolve));
    const client = net.connect({ host: "127.0.0.1", port: (server.address() as net.AddressInfo).port });
    const pipe = socketPipe(await accepted);
    const collected = collect(pipe, true, (chunk) => chunk);
    client.end("bytes");
    expect(concat(...(await collected))).toEqual(utf8("bytes"));
    pipe.close();
  });
});

describe("memory that is given back", () => {
  it("is freed at once, with every view of it", () => {
    const bytes = new Uint8Array(32_768).fill(7);
    const view = bytes.subarray(14, -20);
    free(view);
    expect([bytes.length, view.length]).toEqual([0, 0]);
    free(view);
  });

  it("is not freed if it is small or shared", () => {
    const small = Uint8Array.of(1, 2, 3);
    free(small);
    expect(small).toHaveLength(3);
    const pool = new Uint8Array(16_384);
    free(pool.subarray(0, 8192));
    expect(pool).toHaveLength(16_384);
  });
});
