/** Every message table, read and written. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import * as wire from "../src/index.ts";
import { bytes, codecs, tables, text, uint32 } from "./arbitraries.ts";

/** What a decoder may do with bytes: give values, or throw an SshError of one of these codes. */
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

/** Tables whose last field takes whatever follows, and those whose last text may be left out. */
const open = new Set(["specificData"]);
const optional = new Set(["language"]);

describe("message tables", () => {
  it("every table the package exports is tested here", () => {
    expect(codecs.filter((codec) => !tables.has(codec)).map(({ name }) => name)).toEqual([]);
  });

  for (const [codec, fields] of tables) {
    const values = fc.record(fields as Record<string, fc.Arbitrary<unknown>>);
    const last = Object.keys(fields).at(-1) ?? "";

    it(`${codec.name} round-trips`, () => {
      fc.assert(
        fc.property(values, (given) => {
          const encoded = codec.encode(given);
          expect(codec.decode(encoded)).toEqual({ ...given });
          // What was encoded is a function of the values alone.
          expect(codec.encode(codec.decode(encoded))).toEqual(encoded);
        }),
        { numRuns: 40 },
      );
    });

    it(`${codec.name} with bytes missing or left over is a protocol error`, () => {
      fc.assert(
        fc.property(values, bytes, (given, more) => {
          const encoded = codec.encode(given);
          if (!open.has(last)) {
            const longer = wire.concat(encoded, more, Uint8Array.of(0));
            expect(() => codec.decode(longer)).toThrow(expect.objectContaining({ code: "protocol" }));
          }
          for (let size = 0; size < encoded.length; size++) {
            const cut = encoded.slice(0, size);
            // A table that ends in "whatever follows", or in a text that may be absent, has more than one length.
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

    it(`${codec.name} of random bytes gives values or an SshError`, () => {
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

  it("a message with another number is refused, and the error names both", () => {
    expect(() => wire.ChannelEof.decode(wire.ChannelClose.encode({ recipientChannel: 1 }))).toThrow(
      "expected CHANNEL_EOF (96), got message 97",
    );
    expect(() => wire.NewKeys.decode(new Uint8Array(0))).toThrow(expect.objectContaining({ code: "protocol" }));
  });

  it("a language tag that is left out reads as empty (DISCONNECT, DEBUG and others of older peers)", () => {
    const whole = wire.Disconnect.encode({ reason: 11, description: "bye", language: "" });
    expect(wire.Disconnect.decode(whole.subarray(0, -4))).toEqual({ reason: 11, description: "bye", language: "" });
  });

  it("a list that claims 2^32 - 1 items is refused before anything is allocated", () => {
    const huge = new wire.Writer().byte(7).uint32(0xffff_ffff).finish();
    expect(() => wire.ExtInfo.decode(huge)).toThrow(expect.objectContaining({ code: "protocol" }));
    const prompts = new wire.Writer().byte(61).uint32(0xffff_ffff).finish();
    expect(() => wire.UserauthInfoResponse.decode(prompts)).toThrow(expect.objectContaining({ code: "limit" }));
  });

  it("KEXINIT takes a cookie of 16 bytes and no other", () => {
    const init = { ...kexInit, cookie: new Uint8Array(15) };
    expect(() => wire.KexInit.encode(init)).toThrow(expect.objectContaining({ code: "misuse" }));
  });

  it("values that are no uint32 are refused, not wrapped", () => {
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
