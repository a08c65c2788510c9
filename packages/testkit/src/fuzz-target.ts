/** The targets of `npm run fuzz`: each package has its own in `test/fuzz.ts`. @module */
import type { Bytes, SshErrorCode } from "@postern/wire";

/** A reader or a machine, as a function of bytes. */
export interface FuzzTarget {
  readonly name: string;
  /** `messages`: the input is a list of messages, each after its length in two bytes */
  readonly shape?: "bytes" | "messages";
  /** inputs to begin with */
  seeds(): readonly Bytes[];
  /** keywords to insert, besides the short texts in the sources of {@link sources} */
  readonly dictionary?: readonly Bytes[];
  /** the files, below the root, that the target is about: the report names the share of their blocks that has run */
  readonly sources: readonly string[];
  /** codes of SshError that are an answer to hostile input */
  readonly codes: readonly SshErrorCode[];
  /** longest input, in bytes; default 4096 */
  readonly maxBytes?: number;
  /** most steps of one run; default: 20,000 and 100 for each byte */
  readonly steps?: number;
  /** Throws, or rejects, if an invariant does not hold. */
  run(input: Bytes): void | Promise<void>;
}

/** Splits an input of the shape `messages`. */
export function messagesOf(input: Bytes): Bytes[] {
  const messages: Bytes[] = [];
  for (let at = 0; at + 2 <= input.length; ) {
    const size = (input[at] ?? 0) * 256 + (input[at + 1] ?? 0);
    messages.push(input.subarray(at + 2, at + 2 + size));
    at += 2 + size;
  }
  return messages;
}

/** Joins messages to an input of that shape. */
export function inputOf(messages: readonly Bytes[]): Bytes {
  const short = messages.filter(({ length }) => length <= 0xffff);
  const input = new Uint8Array(short.reduce((size, { length }) => size + 2 + length, 0));
  let at = 0;
  for (const message of short) {
    input.set([message.length >> 8, message.length & 0xff], at);
    input.set(message, at + 2);
    at += 2 + message.length;
  }
  return input;
}
