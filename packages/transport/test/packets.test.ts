/** The binary packet protocol, RFC 4253 section 6: chunks, limits, padding, tampering. */
import type { Cipher, DirectionKeys, Mac } from "@postern/crypto";
import { compatibleAlgorithms } from "@postern/noble";
import { allFlips, chunkings, seededRandom } from "@postern/testkit";
import { type Bytes, getUint32, putUint32, SshError, toHex } from "@postern/wire";
import * as Limits from "@postern/wire/limits";
import { describe, expect, it } from "vitest";
import { PacketReader } from "../src/packet-reader.ts";
import { PacketWriter } from "../src/packet-writer.ts";

const numbered = (size: number): Bytes => Uint8Array.from({ length: size }, (_, at) => at % 251);
const sizes = [1, 2, 3, 4, 5, 8, 11, 12, 13, 16, 100, 1000, 9000];
/** In hexadecimal, because `toEqual` compares arrays of bytes slowly. */
const all = sizes.map((size) => toHex(numbered(size)));

const readAll = (reader: PacketReader): Bytes[] => {
  const payloads: Bytes[] = [];
  for (let payload = reader.next(); payload !== undefined; payload = reader.next()) payloads.push(payload);
  return payloads;
};

/** Returns an unencrypted packet with any packet_length and padding_length. */
const plain = (packetLength: number, paddingLength: number, rest = packetLength - 1): Bytes => {
  const packet = new Uint8Array(5 + Math.max(0, rest)).fill(7);
  putUint32(packet, 0, packetLength);
  packet[4] = paddingLength;
  return packet;
};

const opened = (packet: Bytes): Bytes[] => {
  const reader = new PacketReader();
  reader.receive(packet);
  return readAll(reader);
};

interface Suite {
  readonly name: string;
  readonly cipher: Cipher;
  readonly mac: Mac | undefined;
}
const suites = compatibleAlgorithms.ciphers.flatMap((cipher): Suite[] =>
  cipher.isAead
    ? [{ name: cipher.name, cipher, mac: undefined }]
    : compatibleAlgorithms.macs.map((mac) => ({ name: `${cipher.name} ${mac.name}`, cipher, mac })),
);
const keysFor = ({ cipher, mac }: Suite): DirectionKeys => {
  const random = seededRandom("keys");
  return {
    key: random(cipher.keySize),
    iv: random(cipher.ivSize),
    mac: mac && { algorithm: mac, key: random(mac.keySize) },
  };
};
/** Returns a writer and a reader with the same keys. */
const link = (suite: Suite): { writer: PacketWriter; reader: PacketReader } => {
  const writer = new PacketWriter(seededRandom("padding"));
  const reader = new PacketReader();
  writer.setSealer(suite.cipher.sealer(keysFor(suite)), true);
  reader.setOpener(suite.cipher.opener(keysFor(suite)), true);
  return { writer, reader };
};

describe("packets without a cipher", () => {
  it("arrive complete under every chunking", () => {
    const writer = new PacketWriter(seededRandom("plain"));
    for (const size of sizes) writer.send(numbered(size));
    const stream = writer.take() ?? expect.unreachable();
    for (const { name, chunks } of chunkings(stream, seededRandom("cuts"))) {
      const reader = new PacketReader();
      const payloads = chunks.flatMap((chunk) => {
        reader.receive(chunk);
        return readAll(reader);
      });
      expect(payloads.map(toHex), name).toEqual(all);
      expect(reader.sequence).toBe(sizes.length);
    }
  });

  it.each([0, 1, 2, 3, 4])("are rejected with a packet_length of %i", (length) => {
    expect(() => opened(plain(length, 4, 20))).toThrow(
      `expected a packet_length of 5 to ${Limits.packetLength}, got ${length}`,
    );
  });

  it("are rejected by their length before memory is allocated", () => {
    const reader = new PacketReader();
    reader.receive(Uint8Array.of(0xff, 0xff, 0xff, 0xff));
    expect(() => reader.next()).toThrow(
      expect.objectContaining({ code: "protocol", message: expect.stringContaining("got 4294967295") }),
    );
  });

  it("are accepted with 35000 bytes (RFC 4253 section 6.1) and up to 256 KiB", () => {
    const small = 35_004;
    expect(opened(plain(small, 4))[0]).toHaveLength(small - 5);
    const largest = Limits.packetLength - 4;
    expect(opened(plain(largest, 4))[0]).toHaveLength(largest - 5);
    expect(() => opened(plain(largest + 8, 4))).toThrow(expect.objectContaining({ code: "protocol" }));
  });

  it("are rejected unless their size is a multiple of eight (RFC 4253 section 6)", () => {
    for (let length = 13; length < 20; length++) {
      expect(() => opened(plain(length, 4)), String(length)).toThrow("expected a packet padded to a multiple of 8");
    }
    expect(opened(plain(20, 4))).toHaveLength(1);
  });

  it.each([
    ["less than four bytes of padding", 12, 3],
    ["no padding", 12, 0],
    ["as much padding as packet", 12, 12],
    ["padding that leaves no payload", 12, 11],
    ["padding beyond the packet", 12, 255],
  ])("are rejected with %s", (_defect, length, padding) => {
    expect(() => opened(plain(length, padding))).toThrow(
      /expected a payload and at least 4 bytes of padding, got padding_length/,
    );
  });

  it("are accepted with 255 bytes of padding", () => {
    expect(opened(plain(268, 255))[0]).toHaveLength(12);
  });
});

describe.each(suites)("packets under $name", (suite) => {
  const { cipher } = suite;

  it("are padded with 4 to 255 bytes to a multiple of the block (RFC 4253 section 6)", () => {
    const { writer } = link(suite);
    const { blockSize, tagSize, lengthIsPadded } = cipher.sealer(keysFor(suite));
    for (let size = 1; size < 70; size++) {
      writer.send(numbered(size));
      const packet = writer.take() ?? expect.unreachable();
      const padded = packet.length - tagSize - (lengthIsPadded ? 0 : 4);
      expect(padded % Math.max(8, blockSize)).toBe(0);
      const padding = packet.length - tagSize - 5 - size;
      expect(padding).toBeGreaterThanOrEqual(4);
      expect(padding).toBeLessThan(4 + Math.max(8, blockSize));
    }
  });

  it("arrive complete under every chunking, sent in one part or two", () => {
    const { writer } = link(suite);
    for (const size of sizes) writer.send(numbered(size));
    for (const size of sizes) writer.send(numbered(size).subarray(0, 1), numbered(size).subarray(1));
    const stream = writer.take() ?? expect.unreachable();
    for (const { name, chunks } of chunkings(stream, seededRandom("cuts"))) {
      const { reader } = link(suite);
      const payloads = chunks.flatMap((chunk) => {
        reader.receive(chunk);
        return readAll(reader);
      });
      expect(payloads.map(toHex), name).toEqual([...all, ...all]);
    }
  });

  it("are rejected if any bit is altered", () => {
    const { writer } = link(suite);
    writer.send(numbered(9));
    const packet = writer.take() ?? expect.unreachable();
    const intact = link(suite).reader;
    intact.receive(packet.slice());
    expect(intact.next()).toEqual(numbered(9));
    // A larger length waits for more bytes. Zeros must not complete the packet.
    const zeros = new Uint8Array(300_000);
    for (const { bit, bytes } of allFlips(packet)) {
      const { reader } = link(suite);
      reader.receive(bytes);
      reader.receive(zeros);
      expect(() => reader.next(), `bit ${bit}`).toThrow(SshError);
    }
  });

  it("are rejected out of order, or sent twice", () => {
    const { writer } = link(suite);
    writer.send(numbered(20));
    const first = writer.take() ?? expect.unreachable();
    writer.send(numbered(20));
    const second = writer.take() ?? expect.unreachable();
    for (const stream of [[second.slice()], [first.slice(), first.slice()]]) {
      const { reader } = link(suite);
      for (const packet of stream) reader.receive(packet);
      expect(() => readAll(reader)).toThrow(SshError);
    }
  });

  it("are counted until new keys; the sequence number is reset under strict kex only", () => {
    const { writer, reader } = link(suite);
    writer.send(numbered(20));
    const packet = writer.take() ?? expect.unreachable();
    reader.receive(packet);
    readAll(reader);
    expect([writer.sequence, writer.packets, writer.bytes]).toEqual([1, 1, packet.length]);
    expect([reader.sequence, reader.packets, reader.bytes]).toEqual([1, 1, packet.length]);
    writer.setSealer(cipher.sealer(keysFor(suite)), false);
    reader.setOpener(cipher.opener(keysFor(suite)), false);
    expect([writer.sequence, writer.packets, writer.bytes]).toEqual([1, 0, 0]);
    expect([reader.sequence, reader.packets, reader.bytes]).toEqual([1, 0, 0]);
    writer.setSealer(cipher.sealer(keysFor(suite)), true);
    reader.setOpener(cipher.opener(keysFor(suite)), true);
    expect([writer.sequence, reader.sequence]).toEqual([0, 0]);
  });

  it("are rejected with a packet_length above 256 KiB", () => {
    const { writer, reader } = link(suite);
    const unit = Math.max(8, cipher.sealer(keysFor(suite)).blockSize);
    writer.send(numbered(Limits.packetLength - unit - 8));
    writer.send(numbered(Limits.packetLength));
    reader.receive(writer.take() ?? expect.unreachable());
    expect(reader.next()).toHaveLength(Limits.packetLength - unit - 8);
    expect(() => reader.next()).toThrow(/expected a packet_length of 5 to 262144/);
  });
});

describe("packet_length", () => {
  const suite = suites.find(({ name }) => name === "aes128-gcm@openssh.com") ?? expect.unreachable();

  it("may be 256 KiB, and not one block more", () => {
    const { writer, reader } = link(suite);
    // One byte of padding_length and four bytes of padding.
    const largest = Limits.packetLength - 5;
    writer.send(new Uint8Array(largest));
    const packet = writer.take() ?? expect.unreachable();
    expect(getUint32(packet, 0)).toBe(Limits.packetLength);
    reader.receive(packet);
    expect(reader.next()).toHaveLength(largest);
    writer.send(new Uint8Array(largest + 1));
    reader.receive(writer.take() ?? expect.unreachable());
    expect(() => reader.next()).toThrow(expect.objectContaining({ code: "protocol" }));
  });

  it("is a multiple of the block size of the cipher, not of eight alone (RFC 4253 section 6)", () => {
    const { reader } = link(suite);
    reader.receive(Uint8Array.of(0, 0, 0, 24));
    expect(() => reader.next()).toThrow("expected a packet padded to a multiple of 16");
  });
});

describe("the sequence number", () => {
  it("must not wrap before the first NEWKEYS (OpenSSH PROTOCOL section 1.10)", () => {
    const writer = new PacketWriter(seededRandom("padding"));
    const reader = new PacketReader();
    reader.sequence = 0xffff_fffe;
    for (let n = 0; n < 2; n++) writer.send(numbered(5));
    reader.receive(writer.take() ?? expect.unreachable());
    expect(reader.next()).toEqual(numbered(5));
    expect(() => reader.next()).toThrow(expect.objectContaining({ code: "protocol" }));
  });

  it("wraps from 2^32 - 1 to 0 in both directions (RFC 4253 section 6.4)", () => {
    const suite = suites[0] ?? expect.unreachable();
    const { writer, reader } = link(suite);
    writer.sequence = 0xffff_ffff;
    reader.sequence = 0xffff_ffff;
    writer.send(numbered(5));
    writer.send(numbered(6));
    reader.receive(writer.take() ?? expect.unreachable());
    expect(readAll(reader)).toEqual([numbered(5), numbered(6)]);
    expect([writer.sequence, reader.sequence]).toEqual([1, 1]);
  });
});
