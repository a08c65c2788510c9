/** Password hashing against published vectors. */
import { fromHex, toHex, utf8 } from "@postern/wire";
import { describe, expect, it } from "vitest";
import { argon2id, scrypt } from "../src/index.ts";

describe("scrypt (RFC 7914 section 12)", () => {
  it.each([
    [
      "password",
      "NaCl",
      { n: 1024, r: 8, p: 16 },
      "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b3731622eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640",
    ],
    [
      "pleaseletmein",
      "SodiumChloride",
      { n: 16_384, r: 8, p: 1 },
      "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887",
    ],
  ])("derives the published key (%s, %s, %o)", async (password, salt, cost, expected) => {
    expect(toHex(await scrypt(utf8(password), utf8(salt), cost, 64))).toBe(expected);
  });
});

describe("argon2id", () => {
  // Vectors of the reference implementation (phc-winner-argon2, src/test.c, version 0x13). RFC 9106's vector uses a
  // secret and associated data.
  it.each([
    [{ m: 65_536, t: 2, p: 1 }, "09316115d5cf24ed5a15a31a3ba326e5cf32edc24702987c02b6566f61913cf7"],
    [{ m: 256, t: 2, p: 1 }, "9dfeb910e80bad0311fee20f9c0e2b12c17987b4cac90c2ef54d5b3021c68bfe"],
    [{ m: 256, t: 2, p: 2 }, "6d093c501fd5999645e0ea3bf620d7b8be7fd2db59c20d9fff9539da2bf57037"],
  ])("derives the published key (%o)", async (cost, expected) => {
    expect(toHex(await argon2id(utf8("password"), utf8("somesalt"), cost, 32))).toBe(toHex(fromHex(expected)));
  });
});
