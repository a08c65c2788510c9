/** AES-GCM for short packets, compared with node:crypto. */
import { createCipheriv } from "node:crypto";
import { type Bytes, fromHex, putUint32, toHex } from "@postern/wire";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { longestShort, ShortGcm } from "../src/aead/short-gcm.ts";

const nonceOf = (count: number, fixed = "a0a1a2a3a4a5a6a7"): Bytes => {
  const nonce = new Uint8Array(12);
  nonce.set(fromHex(fixed));
  putUint32(nonce, 8, count >>> 0);
  return nonce;
};

/** Returns a packet with its length in front, and space for a tag. */
const packetOf = (size: number): Bytes => {
  const packet = Uint8Array.from({ length: 4 + size + 16 }, (_, at) => (at * 37) & 0xff);
  putUint32(packet, 0, size);
  return packet;
};

/** Encrypts the packet with node:crypto. */
const sealed = (key: Bytes, nonce: Bytes, packet: Bytes): Bytes => {
  const cipher = createCipheriv(`aes-${key.length * 8}-gcm` as "aes-128-gcm", key, nonce).setAAD(packet.subarray(0, 4));
  const text = cipher.update(packet.subarray(4, -16));
  cipher.final();
  return Uint8Array.from([...packet.subarray(0, 4), ...text, ...cipher.getAuthTag()]);
};

const bytes = (length: number) =>
  fc
    .array(fc.oneof(fc.constantFrom(0, 0xff, 0x80, 1), fc.nat(255)), { minLength: length, maxLength: length })
    .map((list) => Uint8Array.from(list));

describe("AES-GCM for short packets", () => {
  it.each([16, 32])(
    "seals and opens as node:crypto does, whatever key of %i bytes, size, nonces and content",
    (keySize) => {
      // Nonces increase by more than one, as with long packets in between, and overflow 2^32.
      const steps = fc.array(
        fc.tuple(fc.constantFrom(1, 1, 1, 2, 15, 16, 17, 1000), fc.integer({ min: 1, max: 128 })),
        {
          minLength: 1,
          maxLength: 40,
        },
      );
      fc.assert(
        fc.property(bytes(keySize), bytes(8), fc.constantFrom(0, 7, 2 ** 32 - 20), steps, (key, fixed, start, list) => {
          const [out, into] = [new ShortGcm(key), new ShortGcm(key)];
          let count = start;
          for (const [step, size] of list) {
            count += step;
            const nonce = nonceOf(count, toHex(fixed));
            const packet = packetOf(size);
            const plain = packet.slice(4, -16);
            const expected = sealed(key, nonce, packet);
            out.seal(nonce, packet);
            expect(packet).toEqual(expected);
            expect(into.open(nonce, packet)).toEqual(plain);
            expect(packet).toEqual(expected);
          }
        }),
        { numRuns: 150 },
      );
    },
  );

  it("matches test case 4 of GCM (McGrew and Viega, appendix B), cut to an SSH packet", () => {
    // Key and IV of the test case. Its first block does not depend on the additional data.
    const key = fromHex("feffe9928665731c6d6a8f9467308308");
    const packet = new Uint8Array(4 + 16 + 16);
    packet.set(fromHex("d9313225f88406e5a55909c5aff5269a"), 4);
    new ShortGcm(key).seal(fromHex("cafebabefacedbaddecaf888"), packet);
    expect(toHex(packet.subarray(4, 20))).toBe("42831ec2217774244b7221b784d0d49c");
  });

  it("rejects a packet with any bit changed", () => {
    const key = new Uint8Array(16).fill(5);
    const packet = packetOf(32);
    new ShortGcm(key).seal(nonceOf(1), packet);
    const reader = new ShortGcm(key);
    for (let bit = 0; bit < packet.length * 8; bit++) {
      const changed = packet.slice();
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(reader.open(nonceOf(1), changed)).toBeUndefined();
    }
    expect(reader.open(nonceOf(2), packet)).toBeUndefined();
    expect(reader.open(nonceOf(1), packet)).toBeDefined();
  });

  it("keeps alternating keys apart", () => {
    const keys = [1, 2, 3].map((byte) => new Uint8Array(16).fill(byte));
    const all = keys.map((key) => ({ key, gcm: new ShortGcm(key) }));
    for (let count = 0; count < 40; count++) {
      for (const { key, gcm } of all) {
        const packet = packetOf(longestShort - 20);
        const expected = sealed(key, nonceOf(count), packet);
        gcm.seal(nonceOf(count), packet);
        expect(packet).toEqual(expected);
      }
    }
  });
});
