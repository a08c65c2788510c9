/** Reproducible randomness: the same seed always yields the same bytes. @module */
import { sha256 } from "@noble/hashes/sha2.js";
import type { Random } from "@postern/crypto";
import { type Bytes, SshError, utf8, Writer } from "@postern/wire";

/**
 * Creates a {@link Random} that returns SHA-256(seed || uint64 0) || SHA-256(seed || uint64 1) || …, with the seed as
 * UTF-8 and the counter big-endian. Each call takes the next bytes of that stream, so two calls of 16 bytes equal one
 * of 32. For tests only: the bytes follow from the seed.
 *
 * @example
 * const random = seededRandom("rekey under load");
 * const cookie = random(16);
 */
export function seededRandom(seed: string): Random {
  const prefix = utf8(seed);
  let counter = 0n;
  let block: Bytes = new Uint8Array(0);
  return (size) => {
    const bytes = new Uint8Array(size);
    for (let at = 0; at < size; ) {
      if (block.length === 0) block = sha256(new Writer().raw(prefix).uint64(counter++).finish());
      const part = block.subarray(0, size - at);
      bytes.set(part, at);
      block = block.subarray(part.length);
      at += part.length;
    }
    return bytes;
  };
}

/**
 * Returns an integer from 0 to `below` - 1: four bytes of `random` modulo `below`. The bias is too small for tests.
 * @throws SshError `misuse` unless `below` is an integer from 1 to 2^32
 */
export function randomBelow(random: Random, below: number): number {
  if (!Number.isInteger(below) || below < 1 || below > 2 ** 32) {
    throw new SshError("misuse", `expected an integer from 1 to 2^32, got ${below}`);
  }
  const [a = 0, b = 0, c = 0, d = 0] = random(4);
  return (((a << 24) | (b << 16) | (c << 8) | d) >>> 0) % below;
}
