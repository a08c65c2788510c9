/** Properties of the packet ciphers: sealed packets open, changed packets do not. */
import type { Cipher, DirectionKeys, Mac } from "@postern/crypto";
import { fromHex, getUint32, putUint32, SshError } from "@postern/wire";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { aes128Gcm, compatibleAlgorithms } from "../src/index.ts";

type Suite = readonly [title: string, cipher: Cipher, mac: Mac | undefined];
const suites = compatibleAlgorithms.ciphers.flatMap((cipher): Suite[] =>
  cipher.isAead
    ? [[cipher.name, cipher, undefined]]
    : compatibleAlgorithms.macs.map((mac) => [`${cipher.name} with ${mac.name}`, cipher, mac]),
);

const bytes = (size: number) => fc.uint8Array({ minLength: size, maxLength: size });

/** Generates a function that returns fresh copies of keys, because sealer and opener take them. */
function keysFor(cipher: Cipher, mac: Mac | undefined): fc.Arbitrary<() => DirectionKeys> {
  return fc
    .tuple(bytes(cipher.keySize), bytes(cipher.ivSize), bytes(mac?.keySize ?? 0))
    .map(([key, iv, macKey]) => () => ({
      key: key.slice(),
      iv: iv.slice(),
      mac: mac && { algorithm: mac, key: macKey.slice() },
    }));
}

/** Returns a plaintext packet with room for its tag. Pads `body` to whole blocks. */
function layOut(body: Uint8Array, shape: { blockSize: number; tagSize: number; lengthIsPadded: boolean }): Uint8Array {
  const clear = shape.lengthIsPadded ? 4 : 0;
  const size = Math.ceil((clear + Math.max(body.length, 1)) / shape.blockSize) * shape.blockSize - clear;
  const packet = new Uint8Array(4 + size + shape.tagSize);
  putUint32(packet, 0, size);
  packet.set(body, 4);
  return packet;
}

describe.each(suites)("%s", (_title, cipher, mac) => {
  it("opens sealed packets of every size and sequence number (RFC 4253 section 6)", () => {
    fc.assert(
      fc.property(
        keysFor(cipher, mac),
        fc.nat(0xffff_ffff),
        fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 4 }),
        (keys, first, bodies) => {
          const sealer = cipher.sealer(keys());
          const opener = cipher.opener(keys());
          bodies.forEach((body, index) => {
            const sequence = (first + index) >>> 0;
            const plain = layOut(body, sealer);
            const packet = plain.slice();
            sealer.seal(sequence, packet);
            expect(packet).not.toEqual(plain);
            expect(opener.length(sequence, packet.slice(0, opener.headerSize))).toBe(getUint32(plain, 0));
            expect(opener.open(sequence, packet)).toEqual(plain.slice(4, plain.length - sealer.tagSize));
          });
        },
      ),
      { numRuns: 30 },
    );
  });

  it("opens packets of 32 KiB at any alignment", () => {
    const key = { key: new Uint8Array(cipher.keySize), iv: new Uint8Array(cipher.ivSize) };
    const keys = () => ({ ...key, mac: mac && { algorithm: mac, key: new Uint8Array(mac.keySize) } });
    const sealer = cipher.sealer(keys());
    const opener = cipher.opener(keys());
    for (const offset of [0, 1, 2, 3, 5]) {
      const plain = layOut(new Uint8Array(32 * 1024 + offset).fill(offset), sealer);
      const packet = new Uint8Array(offset + plain.length).subarray(offset);
      packet.set(plain);
      sealer.seal(offset, packet);
      expect(opener.length(offset, packet.slice(0, opener.headerSize))).toBe(getUint32(plain, 0));
      const body = opener.open(offset, packet);
      expect(body.length).toBe(plain.length - 4 - sealer.tagSize);
      expect(body.every((byte, index) => byte === plain[4 + index])).toBe(true);
    }
  });

  it("rejects a packet with a flipped bit (RFC 4253 section 6.4)", () => {
    fc.assert(
      fc.property(keysFor(cipher, mac), fc.uint8Array({ maxLength: 40 }), fc.nat(), (keys, body, anyBit) => {
        const packet = layOut(body, cipher.sealer(keys()));
        cipher.sealer(keys()).seal(7, packet);
        const bit = anyBit % (8 * packet.length);
        packet[bit >> 3]! ^= 1 << (bit & 7);
        const opener = cipher.opener(keys());
        opener.length(7, packet.slice(0, opener.headerSize));
        expect(() => opener.open(7, packet)).toThrow(expect.objectContaining({ code: "mac" }));
      }),
      { numRuns: 60 },
    );
  });

  it("rejects the second packet without the first (RFC 4253 section 6.4)", () => {
    const keys = () => ({
      key: new Uint8Array(cipher.keySize),
      iv: new Uint8Array(cipher.ivSize),
      mac: mac && { algorithm: mac, key: new Uint8Array(mac.keySize) },
    });
    const sealer = cipher.sealer(keys());
    const packets = [0, 1].map((sequence) => {
      const packet = layOut(new Uint8Array(20), sealer);
      sealer.seal(sequence, packet);
      return packet;
    });
    const opener = cipher.opener(keys());
    opener.length(0, packets[1]!.slice(0, opener.headerSize));
    expect(() => opener.open(0, packets[1]!)).toThrow(expect.objectContaining({ code: "mac" }));
  });

  it("rejects keys and packets of wrong sizes as misuse", () => {
    const keys = {
      key: new Uint8Array(cipher.keySize),
      iv: new Uint8Array(cipher.ivSize),
      mac: mac && { algorithm: mac, key: new Uint8Array(mac.keySize) },
    };
    const misuse = expect.objectContaining({ code: "misuse" });
    for (const end of [(of: DirectionKeys) => cipher.sealer(of), (of: DirectionKeys) => cipher.opener(of)]) {
      expect(() => end({ ...keys, key: new Uint8Array(cipher.keySize + 1) })).toThrow(misuse);
      expect(() => end({ ...keys, iv: new Uint8Array(cipher.ivSize + 1) })).toThrow(misuse);
      if (mac) expect(() => end({ ...keys, mac: undefined })).toThrow(misuse);
      if (mac) expect(() => end({ ...keys, mac: { algorithm: mac, key: new Uint8Array(1) } })).toThrow(misuse);
    }
    const { tagSize } = cipher.sealer(keys);
    expect(() => cipher.sealer(keys).seal(0, new Uint8Array(4 + tagSize))).toThrow(misuse);
    expect(() => cipher.opener(keys).open(0, new Uint8Array(4 + tagSize))).toThrow(misuse);
    if (mac) expect(() => cipher.sealer(keys).seal(0, new Uint8Array(4 + 17 + tagSize))).toThrow(misuse);
    if (mac && !mac.etm) expect(() => cipher.opener(keys).open(0, new Uint8Array(16 + tagSize))).toThrow(misuse);
  });
});

describe("errors", () => {
  it("contain the sequence number and no bytes of the packet", () => {
    const keys = () => ({ key: fromHex("00".repeat(16)), iv: fromHex("00".repeat(12)), mac: undefined });
    const open = () => aes128Gcm.opener(keys()).open(41, new Uint8Array(36));
    expect(open).toThrow(new SshError("mac", "packet 41: expected its own tag, got another"));
    const short = () => aes128Gcm.opener(keys()).open(41, new Uint8Array(20));
    expect(short).toThrow(new SshError("misuse", "expected a packet of more than 20 bytes, got 20"));
  });
});
