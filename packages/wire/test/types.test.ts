/** The data types of RFC 4251 section 5, and helpers. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import * as wire from "../src/index.ts";
import { bytes, names, text, uint32 } from "./arbitraries.ts";

const { fromHex, Reader, toHex, Writer } = wire;
const reader = (hex: string): wire.Reader => new Reader(fromHex(hex), "example");

describe("examples of RFC 4251 section 5", () => {
  it("encodes uint32 699921578 as 29 b7 f4 aa", () => {
    expect(toHex(new Writer().uint32(699_921_578).finish())).toBe("29b7f4aa");
    expect(reader("29b7f4aa").uint32()).toBe(699_921_578);
  });

  it('encodes string "testing" as 00 00 00 07 t e s t i n g', () => {
    expect(toHex(new Writer().text("testing").finish())).toBe("0000000774657374696e67");
    expect(reader("0000000774657374696e67").text()).toBe("testing");
  });

  it.each([
    ["00", "00000000"],
    ["09a378f9b2e332a7", "0000000809a378f9b2e332a7"],
    ["80", "000000020080"],
  ])("encodes mpint %s as %s", (value, encoded) => {
    expect(toHex(new Writer().mpint(fromHex(value)).finish())).toBe(encoded);
    expect(toHex(reader(encoded).mpint())).toBe(value.replace(/^00$/, ""));
  });

  it.each(["00000002edcc", "00000005ff21524111"])(
    "rejects the negative mpint %s, which SSH does not need",
    (encoded) => {
      expect(() => reader(encoded).mpint()).toThrow(expect.objectContaining({ code: "protocol" }));
    },
  );

  it.each(["0000000100", "000000020001", "00000003000080"])("rejects the unnecessary zero in mpint %s", (encoded) => {
    expect(() => reader(encoded).mpint()).toThrow(expect.objectContaining({ code: "protocol" }));
  });

  it.each([
    [[], "00000000"],
    [["zlib"], "000000047a6c6962"],
    [["zlib", "none"], "000000097a6c69622c6e6f6e65"],
  ])("encodes name-list %j as %s", (list, encoded) => {
    expect(toHex(new Writer().nameList(list).finish())).toBe(encoded);
    expect(reader(encoded).nameList()).toEqual(list);
  });

  it.each(["2c", "2c61", "612c", "612c2c62"])("rejects an empty name in a name-list (%s)", (hex) => {
    const encoded = new Writer().string(fromHex(hex)).finish();
    expect(() => new Reader(encoded, "list").nameList()).toThrow(expect.objectContaining({ code: "protocol" }));
    const failure = new Writer().byte(51).string(fromHex(hex)).boolean(false).finish();
    expect(() => wire.UserauthFailure.decode(failure)).toThrow(expect.objectContaining({ code: "protocol" }));
  });

  it("decodes every boolean except 0 as true, and encodes true as 1", () => {
    for (let value = 0; value < 256; value++)
      expect(new Reader(Uint8Array.of(value), "boolean").boolean()).toBe(value !== 0);
    expect(toHex(new Writer().boolean(true).boolean(false).finish())).toBe("0100");
  });
});

describe("Reader and Writer", () => {
  it("round-trip all types", () => {
    fc.assert(
      fc.property(
        uint32,
        fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
        bytes,
        names,
        text,
        (number, long, data, list, words) => {
          const written = new Writer(1)
            .uint32(number)
            .uint64(long)
            .string(data)
            .nameList(list)
            .text(words)
            .raw(data)
            .finish();
          const read = new Reader(written, "all");
          expect([read.uint32(), read.uint64(), read.string(), read.nameList(), read.text()]).toEqual([
            number,
            long,
            data,
            list,
            words,
          ]);
          expect(read.rest()).toEqual(data);
          read.end();
        },
      ),
    );
  });

  it("return views, and nothing beyond the end of the data", () => {
    const source = fromHex("00000002aabbcc");
    const read = new Reader(source, "view");
    const view = read.string();
    source[4] = 0x11;
    expect(toHex(view)).toBe("11bb");
    expect(() => read.uint32()).toThrow("view: expected 4 bytes, got 1");
    expect(() => new Reader(fromHex("ffffffff00"), "huge").string()).toThrow("huge: expected 4294967295 bytes, got 1");
  });

  it("reject algorithm names that are too long, empty, or contain a comma (RFC 4251 section 6)", () => {
    for (const name of ["", "a,b", "a b", "é", "a\0", "a\u007f", "a".repeat(65)]) {
      expect(() => new Writer().nameList([name])).toThrow(expect.objectContaining({ code: "misuse" }));
    }
  });

  it("decode malformed UTF-8 to U+FFFD, because peers use any charset", () => {
    expect(new Reader(fromHex("00000003ff41fe"), "latin").text()).toBe("�A�");
  });
});

describe("bytes", () => {
  it("round-trips hexadecimal and base64, and rejects other text", () => {
    fc.assert(
      fc.property(bytes, (data) => {
        expect(fromHex(toHex(data))).toEqual(data);
        expect(wire.fromBase64(wire.toBase64(data))).toEqual(data);
        expect(wire.fromBase64(wire.toBase64(data).replaceAll("=", ""))).toEqual(data);
      }),
    );
    for (const bad of ["0", "0g", " 00"]) expect(() => fromHex(bad)).toThrow(RangeError);
    for (const bad of ["A", "AA*A", "AAAA=", "AA=", "A===", "=", "==", "AA==AA==", "AAA=A"]) {
      expect(() => wire.fromBase64(bad), bad).toThrow(RangeError);
    }
  });

  it("encodes only strings, so a missing user name does not become the user null", () => {
    for (const user of [null, undefined, 7, ["root"], Promise.resolve("root")]) {
      const request = { user, service: "ssh-connection", method: "none", specificData: new Uint8Array(0) };
      expect(() => wire.UserauthRequest.encode(request as never)).toThrow(expect.objectContaining({ code: "misuse" }));
    }
  });

  it("rejects a megabyte that is almost base64 in linear time", () => {
    // In quadratic time, each takes more than half an hour.
    for (const bad of [`${"=".repeat(2 ** 20)}A`, `${"A".repeat(2 ** 20)}*`, `${"A=".repeat(2 ** 19)}`]) {
      expect(() => wire.fromBase64(bad)).toThrow(RangeError);
    }
  });

  it("compares content regardless of the offset in memory", () => {
    fc.assert(fc.property(bytes, bytes, (a, b) => wire.equal(a, b) === (toHex(a) === toHex(b))));
    fc.assert(fc.property(bytes, (a) => wire.equal(a, wire.concat(Uint8Array.of(1), a).subarray(1))));
  });
});

describe("expectType", () => {
  it("names the type of a value, never its content", () => {
    const wrong = [
      null,
      undefined,
      7,
      ["secret"],
      Promise.resolve("secret"),
      new Uint8Array(1),
      { secret: 1 },
      () => 0,
    ];
    for (const value of wrong) {
      expect(() => wire.expectType("x", value, "string")).toThrow(
        expect.objectContaining({ code: "misuse", message: expect.not.stringContaining("secret") }),
      );
    }
    expect(() => wire.expectType("x", wrong[4], "string")).toThrow("await");
    wire.expectType("x", "", "string");
    wire.expectType("x", [], "object");
    wire.expectType("x", async () => {}, "function");
    wire.expectType("x", Buffer.alloc(1), "Uint8Array");
    for (const value of [null, "x", undefined]) expect(() => wire.expectType("x", value, "object")).toThrow(/got/);
    for (const value of ["x", [1], new Uint16Array(1)]) {
      expect(() => wire.expectType("x", value, "Uint8Array")).toThrow(/got/);
    }
  });
});

describe("errors", () => {
  it.each([
    ["protocol", 2],
    ["mac", 5],
    ["negotiation", 3],
    ["kex", 3],
    ["hostkey", 9],
    ["version", 8],
    ["auth", 14],
    ["limit", 12],
    ["aborted", 11],
    ["closed", 11],
    ["timeout", 11],
  ] as const)("sends %s to the peer as reason %i (RFC 4253 section 11.1)", (code, reason) => {
    expect(wire.disconnectReason(new wire.SshError(code, "…"))).toBe(reason);
  });

  it("describes each reason with its name in the RFC", () => {
    expect(wire.disconnectDescription(9)).toBe("host key not verifiable");
    for (const reason of Object.values(wire.DisconnectReason)) {
      expect(wire.disconnectDescription(reason)).toMatch(/^[a-z ]{8,40}$/);
    }
  });

  it("wraps other errors as a cause, and keeps an SshError", () => {
    const ours = new wire.SshError("mac", "…");
    expect(wire.toSshError(ours, "protocol", "…")).toBe(ours);
    const cause = new TypeError("…");
    expect(wire.toSshError(cause, "kex", "words")).toMatchObject({
      name: "SshError",
      code: "kex",
      message: "words",
      cause,
    });
  });

  it("assigns message numbers to the ranges of RFC 4251 section 7", () => {
    const range = (number: number): string => wire.messageRange(number);
    expect([0, 1, 19, 20, 49, 50, 79, 80, 127, 128, 192, 255].map(range)).toEqual(
      "local transport transport kex kex auth auth connection connection local local local".split(" "),
    );
  });
});
