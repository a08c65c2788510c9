/** The strict reader of DER (ITU-T X.690). */
import { fromHex, toHex } from "@postern/wire";
import { describe, expect, it } from "vitest";
import { DerReader } from "../src/files/der.ts";

const reading = (hex: string, read: (reader: DerReader) => unknown) => () => read(new DerReader(fromHex(hex)));
const hexOf = (read: (reader: DerReader) => Uint8Array) => (reader: DerReader) => toHex(read(reader));

describe("DerReader", () => {
  it.each([
    ["INTEGER 0", "020100", hexOf((reader) => reader.integer()), ""],
    ["INTEGER 127", "02017f", hexOf((reader) => reader.integer()), "7f"],
    ["INTEGER 128", "02020080", hexOf((reader) => reader.integer()), "80"],
    ["the number 2^47", "0206800000000000".replace("0206", "020700"), (reader) => reader.number(), 2 ** 47],
    ["a number of 7 bytes", "020701000000000000", (reader) => reader.number(), 2 ** 48],
    ["a BIT STRING", "030200ff", hexOf((reader) => reader.bits()), "ff"],
    ["an OBJECT IDENTIFIER of root 1", "06062a864886f70d", (reader) => reader.oid(), "1.2.840.113549"],
    ["an OBJECT IDENTIFIER of root 2", "0603883703", (reader) => reader.oid(), "2.999.3"],
    ["a length of two bytes", `04820100${"00".repeat(256)}`, (reader) => reader.octets().length, 256],
    ["an empty NULL", "0500", (reader) => reader.optionalNull(), undefined],
    ["no NULL", "0400", (reader) => reader.optionalNull(), undefined],
  ] as readonly (readonly [string, string, (reader: DerReader) => unknown, unknown])[])(
    "reads %s",
    (_, hex, read, value) => {
      expect(reading(hex, read)()).toBe(value);
    },
  );

  it.each([
    ["another tag", "0400", (reader) => reader.integer(), "another element"],
    ["an element that does not come", "", (reader) => reader.octets(), "another element"],
    ["nothing to skip", "", (reader) => reader.skip(), "an element"],
    ["bytes after the end", "00", (reader) => reader.end(), "the end of an element"],
    ["no length", "04", (reader) => reader.octets(), "a length"],
    ["a length beyond the end", "040200", (reader) => reader.octets(), "more bytes"],
    ["an indefinite length (X.690 section 10.1)", "0480000000", (reader) => reader.octets(), "a definite length"],
    ["a length of five bytes", "04850000000000", (reader) => reader.octets(), "a definite length"],
    ["a length that is cut short", "048201", (reader) => reader.octets(), "a length in its shortest form"],
    ["a length with a leading zero", "04820080", (reader) => reader.octets(), "a length in its shortest form"],
    ["a long form below 128", "04817f", (reader) => reader.octets(), "a length in its shortest form"],
    ["an INTEGER without bytes", "0200", (reader) => reader.integer(), "a non-negative INTEGER"],
    ["a negative INTEGER", "020180", (reader) => reader.integer(), "a non-negative INTEGER"],
    ["an INTEGER with a leading zero", "0202007f", (reader) => reader.integer(), "an INTEGER in its shortest form"],
    ["an INTEGER of two zeros", "02020000", (reader) => reader.integer(), "an INTEGER in its shortest form"],
    ["a BIT STRING without bytes", "0300", (reader) => reader.bits(), "a BIT STRING of whole bytes"],
    ["a BIT STRING of seven bits", "03020180", (reader) => reader.bits(), "a BIT STRING of whole bytes"],
    ["a NULL with a byte", "050100", (reader) => reader.optionalNull(), "an empty NULL"],
    ["an empty OBJECT IDENTIFIER", "0600", (reader) => reader.oid(), "an OBJECT IDENTIFIER"],
    ["one that ends within an arc", "06022a80", (reader) => reader.oid(), "an OBJECT IDENTIFIER"],
    ["one with a leading zero in an arc", "06032a8001", (reader) => reader.oid(), "an OBJECT IDENTIFIER"],
    ["one with an arc above 2^47", `06092a${"ff".repeat(7)}7f`, (reader) => reader.oid(), "an OBJECT IDENTIFIER"],
    ["one of 33 bytes", `0621${"2a".repeat(33)}`, (reader) => reader.oid(), "an OBJECT IDENTIFIER"],
    ["17 levels", "", () => new DerReader(new Uint8Array(), 17), "at most 16 levels"],
  ] as readonly (readonly [string, string, (reader: DerReader) => unknown, string])[])(
    "rejects %s",
    (_, hex, read, expected) => {
      const error = expect.objectContaining({ code: "protocol", message: `DER: expected ${expected}` });
      expect(reading(hex, read)).toThrow(error);
    },
  );
});
