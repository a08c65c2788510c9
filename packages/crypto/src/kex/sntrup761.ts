/**
 * Streamlined NTRU Prime 761 (NTRU Prime: round 3, 2020), for `sntrup761x25519-sha512` (RFC 9941).
 *
 * Longer than 300 lines, because the standard defines it as one algorithm, and nothing else uses its parts.
 *
 * Polynomials are elements of Z[x]/(x^761 - x - 1) with balanced coefficients, modulo q (at most 2295 either way) or
 * modulo 3. No branch and no index depends on a secret, as far as JavaScript promises anything about time.
 * @module
 */
import { type Bytes, concat } from "@postern/wire";
import type { Hash, KexMethod, Random } from "../kex.ts";
import { createHybrid, type Kem, type X25519 } from "./hybrid.ts";

const p = 761;
const q = 4591;
/** nonzero coefficients of a short polynomial */
const weight = 286;
const half = 2295;

const publicKeySize = 1158;
const roundedSize = 1007;
const confirmSize = 32;
const smallSize = 191;

type Polynomial = Int16Array;

/**
 * Creates `sntrup761x25519-sha512` (RFC 9941), or the same under its name before the RFC, from a provider's SHA-512 and
 * X25519.
 */
export function createSntrup761X25519(
  name: "sntrup761x25519-sha512" | "sntrup761x25519-sha512@openssh.com",
  sha512: Hash,
  x25519: X25519,
): KexMethod {
  return createHybrid(name, sha512, createSntrup761(sha512), x25519);
}

/** Creates the KEM from a provider's SHA-512. */
export function createSntrup761(sha512: Hash): Kem {
  /** The first half of SHA-512 over a byte that separates the uses, and the data. */
  const digest = (use: number, ...data: readonly Bytes[]): Bytes =>
    sha512.digest(concat(Uint8Array.of(use), ...data)).slice(0, 32);
  /** Encrypts r, and adds the hash that confirms it. */
  const hide = (r: Polynomial, encodedR: Bytes, publicKey: Bytes, keyHash: Bytes): Bytes => {
    const rounded = roundToThirds(multiply(decodeRq(publicKey), r, q));
    return concat(encodeRounded(rounded), digest(2, digest(3, encodedR), keyHash));
  };
  const session = (use: number, encodedR: Bytes, ciphertext: Bytes): Bytes =>
    digest(use, digest(3, encodedR), ciphertext);
  return {
    publicKeySize,
    ciphertextSize: roundedSize + confirmSize,
    generate(random) {
      let g = drawSmall(random);
      let inverse = invert3(g);
      // A quarter of a percent of all polynomials has no inverse. Drawing again reveals nothing about the next one.
      while (inverse === undefined) {
        g = drawSmall(random);
        inverse = invert3(g);
      }
      const inverseG = inverse;
      const f = drawShort(random);
      const publicKey = encodeRq(multiply(invertThrice(f), g, q));
      const rejected = random(smallSize);
      g.fill(0);
      const discard = (): void => {
        for (const secret of [f, inverseG, rejected]) secret.fill(0);
      };
      return {
        publicKey,
        discard,
        decapsulate(ciphertext) {
          const r = decrypt(decodeRounded(ciphertext.subarray(0, roundedSize)), f, inverseG);
          const encodedR = encodeSmall(r);
          const expected = hide(r, encodedR, publicKey, digest(4, publicKey));
          let difference = 0;
          for (let at = 0; at < expected.length; at++) difference |= (expected[at] ?? 0) ^ (ciphertext[at] ?? 0);
          // -1 if any byte differs, otherwise 0.
          const mask = -difference >> 31;
          for (let at = 0; at < smallSize; at++) {
            const own = encodedR[at] ?? 0;
            encodedR[at] = own ^ (mask & (own ^ (rejected[at] ?? 0)));
          }
          const secret = session(1 + mask, encodedR, ciphertext);
          discard();
          for (const bytes of [r, encodedR]) bytes.fill(0);
          return secret;
        },
      };
    },
    encapsulate(publicKey, random) {
      const r = drawShort(random);
      const encodedR = encodeSmall(r);
      const ciphertext = hide(r, encodedR, publicKey, digest(4, publicKey));
      const secret = session(1, encodedR, ciphertext);
      for (const bytes of [r, encodedR]) bytes.fill(0);
      return { ciphertext, secret };
    },
  };
}

// ---- arithmetic

/** x modulo q or 3, balanced. Exact far beyond 2^31, and takes the same time for every x. */
function reduce(x: number, modulus: number): number {
  return x - modulus * Math.round(x * (1 / modulus));
}

/** Multiplies, modulo x^p - x - 1 and `modulus`. One factor is small, so that sums stay below 2^31. */
function multiply(a: Polynomial, small: Polynomial, modulus: number): Polynomial {
  const sums = new Int32Array(2 * p - 1);
  for (let i = 0; i < p; i++) {
    const factor = small[i] ?? 0;
    for (let j = 0; j < p; j++) sums[i + j] = (sums[i + j] ?? 0) + factor * (a[j] ?? 0);
  }
  // x^i = x^(i-p+1) + x^(i-p)
  for (let i = 2 * p - 2; i >= p; i--) {
    const high = sums[i] ?? 0;
    sums[i - p] = (sums[i - p] ?? 0) + high;
    sums[i - p + 1] = (sums[i - p + 1] ?? 0) + high;
  }
  const product = Int16Array.from(sums.subarray(0, p), (sum) => reduce(sum, modulus));
  sums.fill(0);
  return product;
}

/** Returns 1/(3f) modulo q. Every nonzero polynomial has an inverse, because the ring is a field. */
function invertThrice(f: Polynomial): Polynomial {
  const { leading, inverse } = divisionSteps(f, q);
  const scale = reciprocal(reduce(3 * leading, q));
  return inverse.map((coefficient) => reduce(scale * coefficient, q));
}

/** Returns 1/g modulo 3, or `undefined` if there is none. */
function invert3(g: Polynomial): Polynomial | undefined {
  const { leading, inverse, isUnit } = divisionSteps(g, 3);
  return isUnit ? inverse.map((coefficient) => leading * coefficient) : undefined;
}

/**
 * Inverts a polynomial up to a factor, in a fixed number of division steps (Bernstein and Yang, "Fast constant-time gcd
 * computation and modular inversion", sections 5 and 6). Polynomials are reversed: the constant term comes last.
 */
function divisionSteps(
  input: Polynomial,
  modulus: number,
): { readonly leading: number; readonly inverse: Polynomial; readonly isUnit: boolean } {
  const f = new Int16Array(p + 1);
  const g = new Int16Array(p + 1);
  f[0] = 1;
  f[p - 1] = -1;
  f[p] = -1;
  for (let i = 0; i < p; i++) g[p - 1 - i] = input[i] ?? 0;
  const v = new Int16Array(p + 1);
  const r = new Int16Array(p + 1);
  r[0] = 1;
  let delta = 1;
  for (let step = 0; step < 2 * p - 1; step++) {
    v.copyWithin(1, 0, p);
    v[0] = 0;
    const g0 = g[0] ?? 0;
    // -1 if delta > 0 and g0 is not 0, otherwise 0.
    const swap = (-delta >> 31) & (-(g0 * g0) >> 31);
    delta = (delta ^ (swap & (delta ^ -delta))) + 1;
    // Coefficients of f and g beyond these reach no later step, and those of v and r are still 0.
    const [left, grown] = [Math.min(p + 1, 2 * p - 1 - step), Math.min(p + 1, step + 2)];
    exchange(f, g, swap, left);
    exchange(v, r, swap, grown);
    const [a, b] = [f[0] ?? 0, g[0] ?? 0];
    eliminate(g, f, a, b, modulus, left);
    eliminate(r, v, a, b, modulus, grown);
    g.copyWithin(0, 1);
    g[p] = 0;
  }
  const result = { leading: f[0] ?? 0, inverse: v.slice(0, p).reverse(), isUnit: delta === 0 };
  for (const used of [f, g, v, r]) used.fill(0);
  return result;
}

/** Replaces the first `size` coefficients by a * target - b * other. With `reduce` inlined, for speed. */
function eliminate(target: Int16Array, other: Int16Array, a: number, b: number, modulus: number, size: number): void {
  const inverse = 1 / modulus;
  for (let i = 0; i < size; i++) {
    const x = a * (target[i] ?? 0) - b * (other[i] ?? 0);
    target[i] = x - modulus * Math.floor(x * inverse + 0.5);
  }
}

/** Exchanges the first `size` coefficients if `mask` is -1, and not if it is 0. */
function exchange(a: Int16Array, b: Int16Array, mask: number, size: number): void {
  for (let i = 0; i < size; i++) {
    const difference = mask & ((a[i] ?? 0) ^ (b[i] ?? 0));
    a[i] = (a[i] ?? 0) ^ difference;
    b[i] = (b[i] ?? 0) ^ difference;
  }
}

/** Returns 1/a modulo q: a^(q-2). */
function reciprocal(a: number): number {
  let result = 1;
  for (let bit = 12; bit >= 0; bit--) {
    result = reduce(result * result, q);
    if (((q - 2) >> bit) & 1) result = reduce(result * a, q);
  }
  return result;
}

/** Rounds each coefficient to the nearest multiple of 3. */
function roundToThirds(a: Polynomial): Polynomial {
  return a.map((coefficient) => coefficient - reduce(coefficient, 3));
}

/** Returns r for a rounded h * r; a fixed short polynomial if the result has another weight. */
function decrypt(rounded: Polynomial, f: Polynomial, inverseG: Polynomial): Polynomial {
  const e = multiply(rounded, f, q).map((coefficient) => reduce(reduce(3 * coefficient, q), 3));
  const r = multiply(e, inverseG, 3);
  let nonzero = 0;
  for (const coefficient of r) nonzero += coefficient & 1;
  // -1 if the weight is wrong, otherwise 0.
  const mask = -((nonzero - weight) ** 2) >> 31;
  for (let i = 0; i < p; i++) {
    const own = r[i] ?? 0;
    const fixed = i < weight ? 1 : 0;
    r[i] = own ^ (mask & (own ^ fixed));
  }
  e.fill(0);
  return r;
}

// ---- randomness

/** Draws a polynomial whose coefficients are -1, 0 and 1. */
function drawSmall(random: Random): Polynomial {
  return draw(random, (words) => {
    for (let i = 0; i < p; i++) words[i] = Math.floor((((words[i] ?? 0) & 0x3fff_ffff) * 3) / 2 ** 30);
  });
}

/**
 * Draws a short polynomial. The two low bits of a word are the coefficient plus 1: 0 or 2 in the first `weight` words,
 * 1 in the others. Sorting by the random high bits shuffles the words.
 */
function drawShort(random: Random): Polynomial {
  return draw(random, (words) => {
    for (let i = 0; i < p; i++) words[i] = i < weight ? (words[i] ?? 0) & -2 : ((words[i] ?? 0) & -3) | 1;
    sort(words);
    for (let i = 0; i < p; i++) words[i] = (words[i] ?? 0) & 3;
  });
}

/** Draws little-endian words. `shape` replaces each by a coefficient plus 1. */
function draw(random: Random, shape: (words: Uint32Array) => void): Polynomial {
  const bytes = random(4 * p);
  const words = new Uint32Array(p);
  for (let at = 0; at < 4 * p; at++) words[at >> 2] = (words[at >> 2] ?? 0) | ((bytes[at] ?? 0) << (8 * (at & 3)));
  shape(words);
  const drawn = Int16Array.from(words, (word) => word - 1);
  bytes.fill(0);
  words.fill(0);
  return drawn;
}

/** Sorts with a network, whose steps depend on the length alone (Batcher; Knuth, volume 3, 5.2.2, algorithm M). */
function sort(words: Uint32Array): void {
  const { length } = words;
  const top = 2 ** (31 - Math.clz32(length - 1));
  for (let size = top; size > 0; size >>= 1) {
    let remainder = 0;
    let distance = size;
    for (let step = top; ; step >>= 1) {
      for (let i = 0; i < length - distance; i++) {
        if ((i & size) === remainder) order(words, i, i + distance);
      }
      if (step === size) break;
      distance = step - size;
      remainder = size;
    }
  }
}

/** Exchanges two words if the second is less. */
function order(words: Uint32Array, low: number, high: number): void {
  const [a = 0, b = 0] = [words[low], words[high]];
  // The borrow of b - a: -1 if b < a, otherwise 0.
  const difference = (a ^ b) & (((~b & a) | ((~b | a) & (b - a))) >> 31);
  words[low] = a ^ difference;
  words[high] = b ^ difference;
}

// ---- encodings

function encodeRq(a: Polynomial): Bytes {
  return encode(a, q, (coefficient) => coefficient + half);
}

function decodeRq(bytes: Bytes): Polynomial {
  return decode(bytes, q, (value) => value - half);
}

function encodeRounded(a: Polynomial): Bytes {
  return encode(a, (q + 2) / 3, (coefficient) => (coefficient + half) / 3);
}

function decodeRounded(bytes: Bytes): Polynomial {
  return decode(bytes, (q + 2) / 3, (value) => 3 * value - half);
}

/** Four coefficients to a byte, the first in the lowest bits. */
function encodeSmall(a: Polynomial): Bytes {
  const bytes = new Uint8Array(smallSize);
  for (let i = 0; i < p; i++) bytes[i >> 2] = (bytes[i >> 2] ?? 0) | (((a[i] ?? 0) + 1) << (2 * (i & 3)));
  return bytes;
}

const limit = 16_384;

/** Joins pairs of values until one is left. Writes low bytes whenever a value grows large. */
function encode(a: Polynomial, modulus: number, map: (coefficient: number) => number): Bytes {
  const bytes: number[] = [];
  let values = Array.from(a, map);
  let moduli = values.map(() => modulus);
  while (moduli.length > 0) {
    const last = moduli.length === 1;
    const nextValues: number[] = [];
    const nextModuli: number[] = [];
    for (let i = 0; i < moduli.length; i += 2) {
      const [m0 = 1, m1 = 1] = [moduli[i], moduli[i + 1]];
      let value = (values[i] ?? 0) + (values[i + 1] ?? 0) * m0;
      let m = m0 * m1;
      // A value without a partner passes unchanged, except for the last of all.
      while (m >= (last ? 2 : i + 1 < moduli.length ? limit : Number.POSITIVE_INFINITY)) {
        bytes.push(value & 0xff);
        value >>= 8;
        m = (m + 255) >> 8;
      }
      nextValues.push(value);
      nextModuli.push(m);
    }
    if (last) break;
    values = nextValues;
    moduli = nextModuli;
  }
  return Uint8Array.from(bytes);
}

/** The reverse of `encode`, for public values. Surplus bits are reduced, so that every string of bytes is a value. */
function decode(bytes: Bytes, modulus: number, map: (value: number) => number): Polynomial {
  const levels: { readonly moduli: number[]; readonly bottoms: number[]; readonly scales: number[] }[] = [];
  let at = 0;
  let moduli = Array.from({ length: p }, () => modulus);
  while (moduli.length > 1) {
    const level = { moduli, bottoms: [] as number[], scales: [] as number[] };
    const next: number[] = [];
    for (let i = 0; i < moduli.length; i += 2) {
      let m = (moduli[i] ?? 1) * (moduli[i + 1] ?? 1);
      let bottom = 0;
      let scale = 1;
      while (i + 1 < moduli.length && m >= limit) {
        bottom += (bytes[at++] ?? 0) * scale;
        scale *= 256;
        m = (m + 255) >> 8;
      }
      level.bottoms.push(bottom);
      level.scales.push(scale);
      next.push(m);
    }
    levels.push(level);
    moduli = next;
  }
  let value = 0;
  let scale = 1;
  for (let m = moduli[0] ?? 1; m > 1; m = (m + 255) >> 8) {
    value += (bytes[at++] ?? 0) * scale;
    scale *= 256;
  }
  let values = [value % (moduli[0] ?? 1)];
  for (const level of levels.reverse()) {
    values = level.moduli.map((m, i) => {
      const pair = i >> 1;
      const both = (level.bottoms[pair] ?? 0) + (level.scales[pair] ?? 1) * (values[pair] ?? 0);
      if (i % 2 === 1) return Math.floor(both / (level.moduli[i - 1] ?? 1)) % m;
      return i + 1 < level.moduli.length ? both % m : both;
    });
  }
  return Int16Array.from(values, map);
}
