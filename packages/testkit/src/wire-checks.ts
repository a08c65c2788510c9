/** Checks of the vectors of data types and messages. Runs in every runtime. @module */
import * as wire from "@postern/wire";
import {
  equal,
  isAccepted,
  ok,
  testsOf,
  throwsCode,
  type Vector,
  type VectorFile,
  type VectorTest,
} from "./vector-checks.ts";

export interface TypeVector extends Vector {
  readonly type: string;
  readonly value: unknown;
  readonly encoded: string;
}

export interface MessageVector extends Vector {
  readonly message: string;
  /** Absent if the message is malformed. */
  readonly values?: Readonly<Record<string, unknown>>;
  readonly encoded: string;
  /** Whether the encoding is not the one that a writer chooses. */
  readonly decodeOnly?: boolean;
}

interface TypeCodec {
  read(reader: wire.Reader): unknown;
  write(writer: wire.Writer, value: unknown): wire.Writer;
}

/** Writes each type from its JSON value, and reads it back to that. */
const types: Readonly<Record<string, TypeCodec>> = {
  boolean: {
    read: (reader) => reader.boolean(),
    write: (writer, value) => writer.boolean(value as boolean),
  },
  uint32: {
    read: (reader) => reader.uint32(),
    write: (writer, value) => writer.uint32(value as number),
  },
  uint64: {
    read: (reader) => reader.uint64().toString(),
    write: (writer, value) => writer.uint64(BigInt(value as string)),
  },
  string: {
    read: (reader) => wire.toHex(reader.string()),
    write: (writer, value) => writer.string(wire.fromHex(value as string)),
  },
  text: {
    read: (reader) => reader.text(),
    write: (writer, value) => writer.text(value as string),
  },
  mpint: {
    read: (reader) => wire.toHex(reader.mpint()),
    write: (writer, value) => writer.mpint(wire.fromHex(value as string)),
  },
  nameList: {
    read: (reader) => reader.nameList(),
    write: (writer, value) => writer.nameList(value as string[]),
  },
};

/** Encodes and decodes each value (RFC 4251 section 5). */
export function typeTests(file: VectorFile): VectorTest[] {
  return testsOf<TypeVector>(file, "types", (vector) => {
    const type = types[vector.type];
    ok(type, `expected a data type, got ${vector.type}`);
    const decode = () => {
      const reader = new wire.Reader(wire.fromHex(vector.encoded), vector.type);
      const value = type.read(reader);
      reader.end();
      return value;
    };
    if (vector.error !== undefined) {
      throwsCode(vector.error, decode);
      return;
    }
    equal(shown(decode()), shown(vector.value));
    equal(wire.toHex(type.write(new wire.Writer(), vector.value).finish()), vector.encoded);
  });
}

/** Encodes and decodes each message. `module` exports the tables. */
export function messageTests(file: VectorFile, module: object = wire): VectorTest[] {
  const codecs = messageCodecs(module);
  return testsOf<MessageVector>(file, file.algorithm, (vector) => {
    const codec = codecs.get(vector.message);
    ok(codec, `expected ${vector.message} to be a message`);
    const decode = () => codec.decode(wire.fromHex(vector.encoded));
    if (!isAccepted(vector)) {
      throwsCode("protocol", decode);
      return;
    }
    const decoded = decode();
    if (vector.values === undefined) return;
    const values = revived(vector.values);
    equal(shown(decoded), shown(values));
    if (vector.decodeOnly !== true) equal(wire.toHex(codec.encode(values)), vector.encoded);
  });
}

/** Returns every message and record that a module exports, by name. */
export function messageCodecs(module: object = wire): Map<string, wire.Codec<unknown>> {
  return new Map(Object.entries<unknown>({ ...module }).filter(isCodec));
}

/** Replaces `{ "hex": … }` by bytes, and `{ "map": … }` by a map, at any depth. */
function revived(value: unknown): unknown {
  if (isHex(value)) return wire.fromHex(value.hex);
  if (isMap(value)) return new Map(value.map.map(([name, inner]) => [name, revived(inner)]));
  if (Array.isArray(value)) return value.map(revived);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, revived(inner)]));
}

function isCodec(entry: [string, unknown]): entry is [string, wire.Codec<unknown>] {
  const [, value] = entry;
  return typeof value === "object" && value !== null && "encode" in value && "decode" in value;
}

function isHex(value: unknown): value is { readonly hex: string } {
  return typeof value === "object" && value !== null && "hex" in value;
}

function isMap(value: unknown): value is { readonly map: readonly (readonly [string, unknown])[] } {
  return typeof value === "object" && value !== null && Object.hasOwn(value, "map");
}

/** Formats a value so that equal values have the same text: bytes in hexadecimal, fields sorted. */
function shown(value: unknown): string {
  if (value instanceof Map) return `map ${shown([...value])}`;
  if (value instanceof Uint8Array) return `bytes ${wire.toHex(value)}`;
  if (Array.isArray(value)) return `[${value.map(shown).join()}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? String(value);
  const fields = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${fields.map(([name, inner]) => `${name}:${shown(inner)}`).join()}}`;
}
