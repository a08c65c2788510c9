/** Messages as tables of fields. Encoder, decoder and type are derived from one table. @module */
import type { ArrayBufferBytes, Bytes } from "./bytes.ts";
import { SshError } from "./error.ts";
import { Reader } from "./reader.ts";
import { Writer } from "./writer.ts";

/** Reads and writes one field. */
export interface Field<T> {
  read(reader: Reader): T;
  write(writer: Writer, value: T): void;
}

type Fields = Readonly<Record<string, Field<unknown>>>;
type Values<F extends Fields> = { readonly [Name in keyof F]: F[Name] extends Field<infer T> ? T : never };

/** A table of fields in wire order. */
export interface Codec<V> {
  readonly name: string;
  encode(values: V): ArrayBufferBytes;
  /**
   * Decodes to views into `bytes`.
   * @throws SshError `protocol` for missing or surplus bytes, or another message number
   */
  decode(bytes: Bytes): V;
}

/** A {@link Codec} whose encoding starts with the message number. */
export interface Message<V> extends Codec<V> {
  readonly number: number;
}

/** The type of a table's values. */
export type ValuesOf<C> = C extends Codec<infer V> ? V : never;

/** Creates a table without a message number: the type-specific part of a request or channel open, or a blob. */
// @__NO_SIDE_EFFECTS__
export function record<F extends Fields>(name: string, fields: F): Codec<Values<F>> {
  const listed = Object.entries(fields);
  return {
    name,
    encode: (values) => writeFields(new Writer(), listed, values).finish(),
    decode: (bytes) => readFields<Values<F>>(new Reader(bytes, name), listed),
  };
}

/** Creates a table with a message number. */
// @__NO_SIDE_EFFECTS__
export function message<F extends Fields>(number: number, name: string, fields: F): Message<Values<F>> {
  const listed = Object.entries(fields);
  return {
    number,
    name,
    encode: (values) => writeFields(new Writer().byte(number), listed, values).finish(),
    decode(payload) {
      const reader = new Reader(payload, name);
      const got = reader.byte();
      if (got !== number) throw new SshError("protocol", `expected ${name} (${number}), got message ${got}`);
      return readFields<Values<F>>(reader, listed);
    },
  };
}

/** The fields of a table in wire order. */
type Listed = readonly (readonly [name: string, field: Field<unknown>])[];

function writeFields(writer: Writer, fields: Listed, values: Readonly<Record<string, unknown>>): Writer {
  for (const [name, field] of fields) field.write(writer, values[name]);
  return writer;
}

function readFields<V>(reader: Reader, fields: Listed): V {
  const values: Record<string, unknown> = {};
  for (const [name, field] of fields) values[name] = field.read(reader);
  reader.end();
  return values as V;
}

export const byte: Field<number> = { read: (reader) => reader.byte(), write: (writer, value) => writer.byte(value) };
export const boolean: Field<boolean> = {
  read: (reader) => reader.boolean(),
  write: (writer, value) => writer.boolean(value),
};
export const uint32: Field<number> = {
  read: (reader) => reader.uint32(),
  write: (writer, value) => writer.uint32(value),
};
/** a `string` as bytes */
export const string: Field<Bytes> = {
  read: (reader) => reader.string(),
  write: (writer, value) => writer.string(value),
};
/** a `string` as UTF-8 text */
export const text: Field<string> = { read: (reader) => reader.text(), write: (writer, value) => writer.text(value) };
/** a last text field, read as empty if the peer omits it */
export const optionalText: Field<string> = {
  read: (reader) => (reader.remaining === 0 ? "" : reader.text()),
  write: (writer, value) => writer.text(value),
};
export const mpint: Field<Bytes> = { read: (reader) => reader.mpint(), write: (writer, value) => writer.mpint(value) };
export const nameList: Field<readonly string[]> = {
  read: (reader) => reader.nameList(),
  write: (writer, value) => writer.nameList(value),
};
/** a uint32 count, then that many items; `items` names them in the error of a larger count than `max` */
// @__NO_SIDE_EFFECTS__
export function counted<T>(item: Field<T>, max: number, items: string): Field<readonly T[]> {
  return {
    read(reader) {
      const count = reader.uint32();
      if (count > max) throw new SshError("limit", `expected at most ${max} ${items}, got ${count}`);
      return Array.from({ length: count }, () => item.read(reader));
    },
    write(writer, values) {
      writer.uint32(values.length);
      for (const one of values) item.write(writer, one);
    },
  };
}
/** all remaining bytes */
export const rest: Field<Bytes> = { read: (reader) => reader.rest(), write: (writer, value) => writer.raw(value) };
/** `size` bytes without a length prefix */
// @__NO_SIDE_EFFECTS__
export function fixed(size: number): Field<Bytes> {
  return {
    read: (reader) => reader.raw(size),
    write(writer, value) {
      if (value.length !== size) throw new SshError("misuse", `expected ${size} bytes, got ${value.length}`);
      writer.raw(value);
    },
  };
}

/** The name of a range of message numbers. */
export type MessageRange = "transport" | "kex" | "auth" | "connection" | "local";

/** Returns the range of a message number (RFC 4251 section 7). `local` contains all other numbers. */
export function messageRange(number: number): MessageRange {
  if (number >= 1 && number <= 19) return "transport";
  if (number >= 20 && number <= 49) return "kex";
  if (number >= 50 && number <= 79) return "auth";
  if (number >= 80 && number <= 127) return "connection";
  return "local";
}

/** The direction of a packet, as seen from our side. */
export type Direction = "sent" | "received";

/** Sends payloads. The layers above the transport write to it and do not see the transport itself. */
export interface PayloadSink {
  /** whether user data may be sent now. Control messages may be sent at any time. */
  readonly writable: boolean;
  /**
   * Sends one payload in up to two parts (copies), so that user data is copied only once. `onSent` receives the
   * packet's sequence number, during the call or after a key exchange. UNIMPLEMENTED contains it (RFC 4253 11.4).
   */
  send(head: Bytes, body?: Bytes, onSent?: (sequence: number) => void): void;
}
