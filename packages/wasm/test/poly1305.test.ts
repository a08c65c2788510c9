/** Poly1305: vectors of RFC 8439, and comparison with noble. */
import { poly1305 as noblePoly1305 } from "@postern/noble";
import { type Bytes, fromHex, toHex, utf8 } from "@postern/wire";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { poly1305 } from "../src/poly1305.ts";

const key = (r: string, s = "00".repeat(16)): Bytes => fromHex(r.padEnd(32, "0") + s);
const ones = "ff".repeat(16);

describe("poly1305", () => {
  it("computes the tag of RFC 8439 section 2.5.2", () => {
    const secret = key("85d6be7857556d337f4452fe42d506a8", "0103808afb0db2fd4abff6af4149f51b");
    const tag = poly1305(utf8("Cryptographic Forum Research Group"), secret);
    expect(toHex(tag)).toBe("a8061dc1305136c6c22b8baf0c0127a9");
  });

  it.each([
    ["#7: reduction by 2^130 - 5", "02", ones, "00".repeat(16), "03"],
    ["#8: the addition of s wraps at 2^128", "02", `02${"00".repeat(15)}`, ones, "03"],
    ["#9: carry of the lowest limb", "01", `${ones}f0${"ff".repeat(15)}11${"00".repeat(15)}`, "00".repeat(16), "05"],
    ["#10: h equals the prime", "01", `${ones}fb${"fe".repeat(15)}${"01".repeat(16)}`, "00".repeat(16), ""],
    ["#11: h is below the prime", "02", `fd${"ff".repeat(15)}`, "00".repeat(16), `fa${"ff".repeat(15)}`],
  ])("computes the tag of RFC 8439 appendix A.3 %s", (_title, r, data, s, tag) => {
    expect(toHex(poly1305(fromHex(data), key(r, s)))).toBe(tag.padEnd(32, "0"));
  });

  it.each([65_407, 65_408, 65_409, 200_000])(
    "equals noble's for %i bytes, around and above the size of its memory",
    (size) => {
      const data = Uint8Array.from({ length: size }, (_, at) => (at * 7) & 0xff);
      const secret = new Uint8Array(32).fill(0xfe);
      expect(poly1305(data, secret)).toEqual(noblePoly1305(data, secret));
    },
  );

  it("equals noble's for any data, key and alignment", () => {
    // Bytes of only ones or zeros cause long carries.
    const byte = fc.oneof(fc.constantFrom(0x00, 0xff, 0xfb, 0xfa), fc.nat(255));
    const bytes = (minLength: number, maxLength: number) =>
      fc.array(byte, { minLength, maxLength }).map((list) => Uint8Array.from(list));
    fc.assert(
      fc.property(bytes(0, 200), bytes(32, 32), fc.nat(7), (data, secret, offset) => {
        const view = new Uint8Array(data.length + 8).subarray(offset, offset + data.length);
        view.set(data);
        expect(poly1305(view, secret)).toEqual(noblePoly1305(data, secret));
      }),
      { numRuns: 2000 },
    );
  });
});
