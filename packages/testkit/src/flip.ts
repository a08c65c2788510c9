/** Bytes with one bit inverted, to test that every bit is checked. @module */
import type { Random } from "@postern/crypto";
import { type Bytes, SshError } from "@postern/wire";
import { randomBelow } from "./seeded-random.ts";

/** `bytes` with one bit inverted. */
export interface Flip {
  /** 0 is the lowest bit of the first byte, 8 the lowest of the second. */
  readonly bit: number;
  /** A copy. */
  readonly bytes: Bytes;
}

/** Inverts one bit (copies). @throws SshError `misuse` if there is no such bit */
export function flip(bytes: Bytes, bit: number): Bytes {
  const copy = Uint8Array.from(bytes);
  const at = Math.floor(bit / 8);
  const byte = copy[at];
  if (byte === undefined || !Number.isInteger(bit)) {
    throw new SshError("misuse", `expected a bit below ${8 * bytes.length}, got ${bit}`);
  }
  copy[at] = byte ^ (1 << (bit % 8));
  return copy;
}

/** Every single-bit flip of `bytes`, in order. */
export function* allFlips(bytes: Bytes): Generator<Flip, void, undefined> {
  for (let bit = 0; bit < 8 * bytes.length; bit++) yield { bit, bytes: flip(bytes, bit) };
}

/** `count` different single-bit flips of `bytes`, or all if there are no more, in order. */
export function* sampledFlips(bytes: Bytes, count: number, random: Random): Generator<Flip, void, undefined> {
  const all = 8 * bytes.length;
  const chosen = new Set<number>();
  // Each round adds a bit: the drawn one or, if that is chosen already, `top`, which no earlier round could draw.
  for (let top = Math.max(0, all - count); top < all; top++) {
    const drawn = randomBelow(random, top + 1);
    chosen.add(chosen.has(drawn) ? top : drawn);
  }
  for (const bit of [...chosen].sort((a, b) => a - b)) yield { bit, bytes: flip(bytes, bit) };
}
