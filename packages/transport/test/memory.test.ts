/** Memory: borrowed chunks and reused batches. */
import { modernAlgorithms } from "@postern/noble";
import { chunkings, seededRandom } from "@postern/testkit";
import { type Bytes, toHex } from "@postern/wire";
import * as Limits from "@postern/wire/limits";
import { describe, expect, it } from "vitest";
import { PacketReader } from "../src/packet-reader.ts";
import { PacketWriter } from "../src/packet-writer.ts";

const numbered = (size: number): Bytes => Uint8Array.from({ length: size }, (_, at) => at % 251);
const sizes = [1, 100, 9000, 3, 40_000, 8, 1000];
/** In hexadecimal, because `toEqual` compares arrays of bytes slowly. */
const all = sizes.map((size) => toHex(numbered(size)));

const streamOf = (writer: PacketWriter): Bytes => {
  for (const size of sizes) writer.send(numbered(size));
  return writer.take()?.slice() ?? expect.unreachable();
};
const readAll = (reader: PacketReader): Bytes[] => {
  const payloads: Bytes[] = [];
  for (let payload = reader.next(); payload !== undefined; payload = reader.next()) payloads.push(payload);
  return payloads;
};

const readAllOf = (writer: PacketWriter): string[] => {
  const reader = new PacketReader();
  reader.receive(writer.take() ?? expect.unreachable());
  return readAll(reader).map(toHex);
};

/** Pairs of a writer and a reader, one for each cipher. */
const links = [
  { name: "no cipher", make: () => ({ writer: new PacketWriter(seededRandom("pad")), reader: new PacketReader() }) },
  ...modernAlgorithms.ciphers.map((cipher) => ({
    name: cipher.name,
    make: () => {
      const keys = () => ({
        key: seededRandom("key")(cipher.keySize),
        iv: seededRandom("iv")(cipher.ivSize),
        mac: undefined,
      });
      const writer = new PacketWriter(seededRandom("pad"));
      writer.setSealer(cipher.sealer(keys()), true);
      const reader = new PacketReader();
      reader.setOpener(cipher.opener(keys()), true);
      return { writer, reader };
    },
  })),
];

describe.each(links)("a borrowed chunk ($name)", ({ make }) => {
  it("may be overwritten after keep(), under every chunking", () => {
    const stream = streamOf(make().writer);
    for (const { name, chunks } of chunkings(stream, seededRandom("cuts"))) {
      const { reader } = make();
      // One buffer for all chunks, like a socket.
      const shared = new Uint8Array(stream.length);
      const payloads: Bytes[] = [];
      for (const chunk of chunks) {
        shared.set(chunk);
        reader.receive(shared.subarray(0, chunk.length));
        payloads.push(...readAll(reader));
        reader.keep();
        shared.fill(0xee);
      }
      expect(payloads.map(toHex), name).toEqual(all);
    }
  });

  it("may be overwritten after keep() before its packets are read", () => {
    const stream = streamOf(make().writer);
    const { reader } = make();
    const shared = new Uint8Array(10_000);
    const payloads: Bytes[] = [];
    for (let at = 0; at < stream.length; at += shared.length) {
      const chunk = stream.subarray(at, at + shared.length);
      shared.set(chunk);
      reader.receive(shared.subarray(0, chunk.length));
      const first = at % (2 * shared.length) === 0 ? reader.next() : undefined;
      if (first !== undefined) payloads.push(first);
      reader.keep();
      shared.fill(0xee);
    }
    payloads.push(...readAll(reader));
    expect(payloads.map(toHex)).toEqual(all);
  });
});

describe("a packet writer", () => {
  const body = numbered(Limits.maxPacket);
  const full = (writer: PacketWriter): Bytes => {
    while (writer.size < Limits.outputHighWater) writer.send(new Uint8Array(9), body);
    return writer.take() ?? expect.unreachable();
  };

  it("reuses the memory of a data batch after reuse(), and not before", () => {
    const writer = new PacketWriter(seededRandom("pad"));
    const [first, second] = [full(writer), full(writer)];
    expect(second.buffer).not.toBe(first.buffer);
    writer.reuse(first);
    expect(full(writer).buffer).toBe(first.buffer);
  });

  it("overwrites all bytes of a reused batch", () => {
    const [used, fresh] = [new PacketWriter(seededRandom("a")), new PacketWriter(seededRandom("a"))];
    const [first] = [full(used), full(fresh)];
    first.fill(0xee);
    used.reuse(first);
    expect(toHex(full(used))).toBe(toHex(full(fresh)));
  });

  it("keeps at most two data batches, and frees them once only control messages are sent", () => {
    const writer = new PacketWriter(seededRandom("pad"));
    const batches = [full(writer), full(writer), full(writer)];
    writer.send(Uint8Array.of(2));
    batches.push(writer.take() ?? expect.unreachable());
    for (const batch of batches) writer.reuse(batch);
    const again = [full(writer), full(writer), full(writer)].map(({ buffer }) => buffer);
    expect(again.filter((buffer) => batches.some((batch) => batch.buffer === buffer))).toHaveLength(2);
    for (const batch of batches) writer.reuse(batch);
    writer.send(Uint8Array.of(2));
    writer.take();
    expect(batches.map((batch) => batch.buffer)).not.toContain(full(writer).buffer);
  });

  it("allocates little for a small message, and does not reuse memory of another size", () => {
    const writer = new PacketWriter(seededRandom("pad"));
    writer.send(numbered(10));
    const small = writer.take() ?? expect.unreachable();
    expect(small.buffer.byteLength).toBeLessThan(Limits.maxPacket);
    writer.send(numbered(3000));
    const middle = writer.take() ?? expect.unreachable();
    expect(middle.buffer.byteLength).toBeLessThan(Limits.maxPacket);
    for (const batch of [small, middle]) writer.reuse(batch);
    writer.send(numbered(3000));
    expect(readAllOf(writer)).toEqual([toHex(numbered(3000))]);
    writer.send(new Uint8Array(0), body);
    writer.send(new Uint8Array(0), body);
    expect(readAllOf(writer)).toEqual([toHex(body), toHex(body)]);
  });
});
