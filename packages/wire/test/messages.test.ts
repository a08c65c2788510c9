/** Every message table, encoded and decoded. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import * as wire from "../src/index.ts";
import { bytes, codecs, tables, text, uint32 } from "./arbitraries.ts";

/** Returns whether the bytes decode. The only errors allowed are SshErrors of two codes. */
function decodes(codec: wire.Codec<unknown>, payload: Uint8Array): boolean {
  try {
    codec.decode(payload);
    return true;
  } catch (error) {
    if (!(error instanceof wire.SshError)) throw error;
    expect(["protocol", "limit"]).toContain(error.code);
    return false;
  }
}

/** The last fields that contain all remaining bytes, and those that a peer may omit. */
const open = new Set(["specificData"]);
const optional = new Set(["language"]);

describe("message tables", () => {
  it("tests every table that the package exports", () => {
    expect(codecs.filter((codec) => !tables.has(codec)).map(({ name }) => name)).toEqual([]);
  });

  for (const [codec, fields] of tables) {
    const values = fc.record(fields as Record<string, fc.Arbitrary<unknown>>);
    const last = Object.keys(fields).at(-1) ?? "";

    it(`round-trips ${codec.name}`, () => {
      fc.assert(
        fc.property(values, (given) => {
          const encoded = codec.encode(given);
          expect(codec.decode(encoded)).toEqual({ ...given });
          // The encoding depends only on the values.
          expect(codec.encode(codec.decode(encoded))).toEqual(encoded);
        }),
        { numRuns: 40 },
      );
    });

    it(`rejects ${codec.name} with missing or surplus bytes`, () => {
      fc.assert(
        fc.property(values, bytes, (given, more) => {
          const encoded = codec.encode(given);
          if (!open.has(last)) {
            const longer = wire.concat(encoded, more, Uint8Array.of(0));
            expect(() => codec.decode(longer)).toThrow(expect.objectContaining({ code: "protocol" }));
          }
          for (let size = 0; size < encoded.length; size++) {
            const cut = encoded.slice(0, size);
            // If the last field has no fixed end, some truncations decode.
            if (open.has(last) || optional.has(last)) decodes(codec, cut);
            else
              expect(() => codec.decode(cut), `${size} of ${encoded.length}`).toThrow(
                expect.objectContaining({ code: "protocol" }),
              );
          }
        }),
        { numRuns: 10 },
      );
    });

    it(`decodes random bytes of ${codec.name} or throws an SshError`, () => {
      const number = "number" in codec ? [codec.number as number] : [];
      fc.assert(
        fc.property(
          fc.uint8Array({ maxLength: 120 }),
          (noise) => void decodes(codec, Uint8Array.from([...number, ...noise])),
        ),
        {
          numRuns: 200,
        },
      );
    });
  }

  it("rejects another message number and names both", () => {
    expect(() => wire.ChannelEof.decode(wire.ChannelClose.encode({ recipientChannel: 1 }))).toThrow(
      "expected CHANNEL_EOF (96), got message 97",
    );
    expect(() => wire.NewKeys.decode(new Uint8Array(0))).toThrow(expect.objectContaining({ code: "protocol" }));
  });

  it("decodes an omitted language tag as empty (older peers)", () => {
    const whole = wire.Disconnect.encode({ reason: 11, description: "bye", language: "" });
    expect(wire.Disconnect.decode(whole.subarray(0, -4))).toEqual({ reason: 11, description: "bye", language: "" });
  });

  it("rejects a list of 2^32 - 1 items before allocating memory", () => {
    const huge = new wire.Writer().byte(7).uint32(0xffff_ffff).finish();
    expect(() => wire.ExtInfo.decode(huge)).toThrow(expect.objectContaining({ code: "protocol" }));
    const prompts = new wire.Writer().byte(61).uint32(0xffff_ffff).finish();
    expect(() => wire.UserauthInfoResponse.decode(prompts)).toThrow(expect.objectContaining({ code: "limit" }));
  });

  it("rejects a KEXINIT cookie that is not 16 bytes", () => {
    const init = { ...kexInit, cookie: new Uint8Array(15) };
    expect(() => wire.KexInit.encode(init)).toThrow(expect.objectContaining({ code: "misuse" }));
  });

  it("rejects values outside uint32 instead of wrapping them", () => {
    for (const value of [-1, 2 ** 32, 1.5, Number.NaN]) {
      expect(() => wire.Unimplemented.encode({ sequence: value })).toThrow(expect.objectContaining({ code: "misuse" }));
    }
    fc.assert(
      fc.property(
        uint32,
        text,
        (port, address) => wire.TcpipForward.decode(wire.TcpipForward.encode({ address, port })).port === port,
      ),
    );
  });
});

const kexInit = {
  cookie: new Uint8Array(16),
  kexAlgorithms: [],
  serverHostKeyAlgorithms: [],
  encryptionC2s: [],
  encryptionS2c: [],
  macC2s: [],
  macS2c: [],
  compressionC2s: [],
  compressionS2c: [],
  languagesC2s: [],
  languagesS2c: [],
  firstKexPacketFollows: false,
  reserved: 0,
};
