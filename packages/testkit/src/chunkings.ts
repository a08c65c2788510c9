/** Cuts the same bytes in different places, because a machine must not depend on the chunks of a stream. @module */
import type { Random } from "@postern/crypto";
import type { Bytes } from "@postern/wire";
import { randomBelow } from "./seeded-random.ts";

/** Bytes, cut in one way. */
export interface Chunking {
  /** For the title of a test. */
  readonly name: string;
  /** Copies: each chunk has its own buffer, which the receiver may keep. No chunk is empty. */
  readonly chunks: readonly Bytes[];
}

/**
 * Cuts `bytes` (copies) into one chunk, single bytes, sevens, and pieces of random size.
 *
 * @example
 * for (const { name, chunks } of chunkings(transcript, seededRandom("version exchange"))) { … }
 */
export function* chunkings(bytes: Bytes, random: Random): Generator<Chunking, void, undefined> {
  yield { name: "whole", chunks: cut(bytes, () => bytes.length) };
  yield { name: "1 byte", chunks: cut(bytes, () => 1) };
  yield { name: "7 bytes", chunks: cut(bytes, () => 7) };
  yield { name: "random", chunks: randomChunks(bytes, random) };
}

/** Cuts `bytes` (copies) into pieces of 1 to 1024 bytes; half of them are shorter than 16. */
export function randomChunks(bytes: Bytes, random: Random): Bytes[] {
  return cut(bytes, () => 1 + randomBelow(random, randomBelow(random, 2) === 0 ? 15 : 1024));
}

function cut(bytes: Bytes, next: () => number): Bytes[] {
  const chunks: Bytes[] = [];
  for (let at = 0; at < bytes.length; ) {
    const chunk = bytes.slice(at, at + next());
    chunks.push(chunk);
    at += chunk.length;
  }
  return chunks;
}
