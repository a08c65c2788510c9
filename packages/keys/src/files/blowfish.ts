/** Blowfish as bcrypt uses it: its tables are digits of pi, its key schedule is repeated with salt and key. @module */
import { type Bytes, getUint32 } from "@postern/wire";

/** The state of the cipher: 18 subkeys, then four S-boxes of 256 words. */
export type BlowfishState = Int32Array;

const subkeys = 18;
const words: number = subkeys + 4 * 256;

let initial: BlowfishState | undefined;

/** Returns a fresh state: the fractional part of pi (B. Schneier, "Description of a New … Block Cipher", 1993). */
export function createBlowfishState(): BlowfishState {
  initial ??= digitsOfPi();
  return initial.slice();
}

/** Mixes a key, and a salt or zeros, into the state (N. Provos, D. Mazières, "A Future-Adaptable Password Scheme"). */
export function expandState(state: BlowfishState, key: Int32Array, salt: Int32Array | undefined): void {
  for (let i = 0; i < subkeys; i++) state[i] = (state[i] ?? 0) ^ (key[i % key.length] ?? 0);
  const block = new Int32Array(2);
  for (let i = 0; i < words; i += 2) {
    if (salt !== undefined) {
      block[0] = (block[0] ?? 0) ^ (salt[i % salt.length] ?? 0);
      block[1] = (block[1] ?? 0) ^ (salt[(i + 1) % salt.length] ?? 0);
    }
    encryptBlock(state, block, 0);
    state[i] = block[0] ?? 0;
    state[i + 1] = block[1] ?? 0;
  }
}

/** Encrypts the two words at `at` in place. */
export function encryptBlock(state: BlowfishState, block: Int32Array, at: number): void {
  let left = block[at] ?? 0;
  let right = block[at + 1] ?? 0;
  for (let round = 0; round < 16; round += 2) {
    left ^= state[round] ?? 0;
    right ^= mix(state, left);
    right ^= state[round + 1] ?? 0;
    left ^= mix(state, right);
  }
  block[at] = right ^ (state[17] ?? 0);
  block[at + 1] = left ^ (state[16] ?? 0);
}

/** Returns big-endian words. The length is a multiple of 4. */
export function wordsOf(bytes: Bytes): Int32Array {
  return Int32Array.from({ length: bytes.length / 4 }, (_, i) => getUint32(bytes, 4 * i));
}

function mix(state: BlowfishState, x: number): number {
  const sum =
    ((state[18 + (x >>> 24)] ?? 0) + (state[274 + ((x >>> 16) & 0xff)] ?? 0)) ^ (state[530 + ((x >>> 8) & 0xff)] ?? 0);
  return (sum + (state[786 + (x & 0xff)] ?? 0)) | 0;
}

/** Computed, because the tables would be 8 KB of text. pi = 16 arctan(1/5) - 4 arctan(1/239) (J. Machin, 1706). */
function digitsOfPi(): BlowfishState {
  const bits = 32 * words;
  // 64 more bits, because the divisions round down.
  const one = 1n << BigInt(bits + 64);
  const pi = 16n * arctan(5, one) - 4n * arctan(239, one);
  const hex = ((pi - 3n * one) >> 64n).toString(16).padStart(bits / 4, "0");
  return Int32Array.from({ length: words }, (_, i) => Number.parseInt(hex.slice(8 * i, 8 * i + 8), 16));
}

/** Returns arctan(1 / inverse) * one: the sum of (-1)^k / ((2k + 1) * inverse^(2k + 1)). */
function arctan(inverse: number, one: bigint): bigint {
  const terms = Math.ceil(one.toString(16).length / (2 * (Math.log2(inverse) / 4)));
  const [numerator, denominator] = partOfSeries(BigInt(inverse), 0, terms);
  return (one * numerator) / (denominator * BigInt(inverse));
}

/** Adds `count` terms from term `from`, relative to the first power, as a fraction: halving keeps the numbers small. */
function partOfSeries(inverse: bigint, from: number, count: number): readonly [bigint, bigint] {
  if (count === 1) return [1n, BigInt(2 * from + 1)];
  const half = count >> 1;
  const [n1, d1] = partOfSeries(inverse, from, half);
  const [n2, d2] = partOfSeries(inverse, from + half, count - half);
  const right = d2 * inverse ** BigInt(2 * half);
  return [n1 * right + (half % 2 === 0 ? n2 : -n2) * d1, d1 * right];
}
