/** The wire vectors: data types of RFC 4251 section 5, and every message, read and written. */
import { describe, expect, it } from "vitest";
import { loadVectors, throwsCode, type Vector } from "@postern/testkit/vectors";
import * as wire from "@postern/wire";

interface TypeVector extends Vector {
  readonly type: keyof typeof types;
  readonly value: unknown;
  readonly encoded: string;
}

interface MessageVector extends Vector {
  readonly message: string;
  readonly values: Readonly<Record<string, unknown>>;
  readonly encoded: string;
}

/** How each type is written from the JSON value, and read back to it. */
const types = {
  boolean: {
    read: (reader: wire.Reader): unknown => reader.boolean(),
    write: (writer: wire.Writer, value: unknown) => writer.boolean(value as boolean),
  },
  uint32: {
    read: (reader: wire.Reader): unknown => reader.uint32(),
    write: (writer: wire.Writer, value: unknown) => writer.uint32(value as number),
  },
  uint64: {
    read: (reader: wire.Reader): unknown => reader.uint64().toString(),
    write: (writer: wire.Writer, value: unknown) => writer.uint64(BigInt(value as string)),
  },
  string: {
    read: (reader: wire.Reader): unknown => wire.toHex(reader.string()),
    write: (writer: wire.Writer, value: unknown) => writer.string(wire.fromHex(value as string)),
  },
  text: {
    read: (reader: wire.Reader): unknown => reader.text(),
    write: (writer: wire.Writer, value: unknown) => writer.text(value as string),
  },
  mpint: {
    read: (reader: wire.Reader): unknown => wire.toHex(reader.mpint()),
    write: (writer: wire.Writer, value: unknown) => writer.mpint(wire.fromHex(value as string)),
  },
  nameList: {
    read: (reader: wire.Reader): unknown => reader.nameList(),
    write: (writer: wire.Writer, value: unknown) => writer.nameList(value as string[]),
  },
};

describe("data types", () => {
  const vectors = loadVectors("wire", "types").vectors as readonly TypeVector[];
  it.each(vectors.map((vector) => [`#${vector.id} ${vector.type}: ${vector.comment}`, vector] as const))(
    "%s",
    (_title, vector) => {
      const { read, write } = types[vector.type];
      const decode = () => {
        const reader = new wire.Reader(wire.fromHex(vector.encoded), vector.type);
        const value = read(reader);
        reader.end();
        return value;
      };
      if (vector.error !== undefined) {
        throwsCode(vector.error, decode);
        return;
      }
      expect(decode()).toEqual(vector.value);
      expect(wire.toHex(write(new wire.Writer(), vector.value).finish())).toBe(vector.encoded);
    },
  );
});

describe("messages", () => {
  const vectors = loadVectors("wire", "messages").vectors as readonly MessageVector[];
  const codecs = new Map(Object.entries<unknown>({ ...wire }).filter(isCodec));

  it.each(vectors.map((vector) => [`#${vector.id} ${vector.message}: ${vector.comment}`, vector] as const))(
    "%s",
    (_title, vector) => {
      const codec = codecs.get(vector.message) ?? expect.unreachable(`no message ${vector.message}`);
      const values = Object.fromEntries(
        Object.entries(vector.values).map(([name, value]) => [name, isHex(value) ? wire.fromHex(value.hex) : value]),
      );
      expect(codec.decode(wire.fromHex(vector.encoded))).toEqual(values);
      expect(wire.toHex(codec.encode(values))).toBe(vector.encoded);
    },
  );

  it("every message and record has a vector, but those whose fields are lists of pairs", () => {
    const covered = new Set(vectors.map(({ message }) => message));
    const lists = ["ExtInfo", "UserauthInfoRequest", "UserauthInfoResponse"];
    expect([...codecs.keys()].filter((name) => !covered.has(name)).toSorted()).toEqual(lists);
  });
});

function isCodec(entry: [string, unknown]): entry is [string, wire.Codec<unknown>] {
  const [, value] = entry;
  return typeof value === "object" && value !== null && "encode" in value && "decode" in value;
}

function isHex(value: unknown): value is { readonly hex: string } {
  return typeof value === "object" && value !== null && "hex" in value;
}
