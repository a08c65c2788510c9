/** Memory: borrowed chunks and reused batches. */
import { modernAlgorithms } from "@postern/noble";
import { chunkings, seededRandom } from "@postern/testkit";
import type { Bytes } from "@postern/wire";
import * as Limits from "@postern/wire/limits";
import { describe, expect, it } from "vitest";
import { PacketReader } from "../src/packet-reader.ts";
import { PacketWriter } from "../src/packet-writer.ts";

const numbered = (size: number): Bytes => Uint8Array.from({ length: size }, (_, at) => at % 251);
const sizes = [1, 100, 9000, 3, 40_000, 8, 1000];

const streamOf = (writer: PacketWriter): Bytes => {
  for (const size of sizes) writer.send(numbered(size));
  return writer.take()?.slice() ?? expect.unreachable();
};
const readAll = (reader: PacketReader): Bytes[] => {
  const payloads: Bytes[] = [];
  for (let payload = reader.next(); payload !== undefined; payload = reader.next()) payloads.push(payload);
  return payloads;
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
      expect(payloads, name).toEqual(sizes.map(numbered));
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
    expect(payloads).toEqual(sizes.map(numbered));
  });
});

describe("a packet writer", () => {
  const full = (writer: PacketWriter): Bytes => {
    while (writer.size < Limits.outputHighWater) writer.send(new Uint8Array(9), numbered(Limits.maxPacket));
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
    expect(full(used)).toEqual(full(fresh));
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
});
