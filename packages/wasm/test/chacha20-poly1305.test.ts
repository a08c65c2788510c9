/** `chacha20-poly1305@openssh.com` in WebAssembly: the vectors, and comparison with noble. */
import { readFile } from "node:fs/promises";
import type { Cipher } from "@postern/crypto";
import { chacha20Poly1305 as nobleCipher } from "@postern/noble";
import { cipherTests } from "@postern/testkit/vectors";
import { type Bytes, SshError } from "@postern/wire";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { chacha20Poly1305, createChacha20Poly1305, scalarChacha20Poly1305 } from "../src/index.ts";
import { packetModule } from "../src/packet-module.ts";

const file = await readFile(new URL("../chacha20-poly1305-simd.wasm", import.meta.url));
const ciphers: readonly (readonly [string, Cipher])[] = [
  ["with SIMD", chacha20Poly1305],
  ["without SIMD", scalarChacha20Poly1305],
  ["of a compiled module", createChacha20Poly1305(new WebAssembly.Module(file))],
];
const tagSize = 16;

describe.each(ciphers)("chacha20-poly1305@openssh.com %s", (_name, cipher) => {
  for (const { title, run } of cipherTests(cipher, [])) it(title, run);

  it("seals and opens as noble does, for any key, sequence number, size and alignment", () => {
    const size = fc.oneof(fc.nat(40), fc.nat(200), fc.nat(4_500)).map((words) => 8 + 8 * words);
    const inputs = fc.tuple(fc.uint8Array({ minLength: 64, maxLength: 64 }), fc.nat(2 ** 32 - 1), size, fc.nat(15));
    fc.assert(
      fc.property(inputs, fc.nat(255), ([key, sequence, size, offset], first) => {
        const keys = { key, iv: new Uint8Array(0), mac: undefined };
        const packet = new Uint8Array(offset + 4 + size + tagSize).subarray(offset);
        for (const at of packet.keys()) packet[at] = first + 7 * at;
        const plain = packet.slice();
        const expected = packet.slice();
        nobleCipher.sealer(keys).seal(sequence, expected);
        cipher.sealer(keys).seal(sequence, packet);
        expect(Buffer.compare(packet, expected)).toBe(0);
        const opener = cipher.opener(keys);
        expect(opener.length(sequence, packet.subarray(0, 4))).toBe(new DataView(plain.buffer).getUint32(0));
        expect(Buffer.compare(opener.open(sequence, packet), plain.subarray(4, 4 + size))).toBe(0);
      }),
      { numRuns: 300 },
    );
  });

  it("rejects a packet of which any one bit is changed", () => {
    const keys = { key: new Uint8Array(64).fill(3), iv: new Uint8Array(0), mac: undefined };
    const packet = new Uint8Array(4 + 24 + tagSize);
    cipher.sealer(keys).seal(9, packet);
    for (let bit = 0; bit < 8 * packet.length; bit++) {
      const changed = packet.slice();
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(errorOf(() => cipher.opener(keys).open(9, changed))?.code, `bit ${bit}`).toBe("mac");
    }
    expect(cipher.opener(keys).open(9, packet)).toEqual(new Uint8Array(24));
  });

  it("opens packets of 256 KiB, and rejects larger ones than its memory holds", () => {
    const keys = { key: new Uint8Array(64), iv: new Uint8Array(0), mac: undefined };
    const packet = new Uint8Array(4 + 256 * 1024 + tagSize);
    cipher.sealer(keys).seal(0, packet);
    expect(cipher.opener(keys).open(0, packet)).toHaveLength(256 * 1024);
    const tooLarge = new Uint8Array(5 * 65_536);
    expect(errorOf(() => cipher.sealer(keys).seal(0, tooLarge))?.message).toMatch(/^expected a packet of at most/);
  });
});

describe("the memory that all connections share", () => {
  it("contains neither keys nor key stream after a packet was sealed, opened or rejected", () => {
    const keys = { key: new Uint8Array(64).fill(0xab), iv: new Uint8Array(0), mac: undefined };
    const packet = new Uint8Array(4 + 24 + tagSize);
    const state = (): Bytes => packetModule().memory.subarray(0, 512);
    chacha20Poly1305.sealer(keys).seal(1, packet);
    expect(state()).toEqual(new Uint8Array(512));
    const opener = chacha20Poly1305.opener(keys);
    opener.length(1, packet);
    expect(state()).toEqual(new Uint8Array(512));
    expect(errorOf(() => opener.open(2, packet.slice()))?.code).toBe("mac");
    expect(state()).toEqual(new Uint8Array(512));
    opener.open(1, packet);
    expect(state()).toEqual(new Uint8Array(512));
  });
});

function errorOf(run: () => unknown): SshError | undefined {
  try {
    run();
  } catch (error) {
    if (error instanceof SshError) return error;
    throw error;
  }
  return undefined;
}
