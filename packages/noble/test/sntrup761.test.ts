/** Cases of Streamlined NTRU Prime that no honest peer causes (NTRU Prime: round 3, 2020). */
import { createSntrup761, type Random } from "@postern/crypto";
import { type Bytes, concat } from "@postern/wire";
import { describe, expect, it } from "vitest";
import { sha512 } from "../src/index.ts";

const p = 761;
const kem = createSntrup761(sha512);
const hash = (use: number, ...data: readonly Bytes[]): Bytes =>
  sha512.digest(concat(Uint8Array.of(use), ...data)).slice(0, 32);

/** Returns a random source that draws these bytes first. They are the same on each call. */
function randomAfter(first: readonly Bytes[]): Random {
  const left = [...first];
  let state = 1;
  return (size) =>
    left.shift() ??
    new Uint8Array(size).map(() => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return state >>> 24;
    });
}

const repeat = (value: number): number[] => Array.from({ length: p }, () => value);

/** Encodes integers below the moduli, as the document defines it (Encode). */
function encode(values: readonly number[], moduli: readonly number[]): number[] {
  const bytes: number[] = [];
  const write = (value: number, modulus: number, limit: number): [number, number] => {
    if (modulus < limit) return [value, modulus];
    bytes.push(value % 256);
    return write(Math.floor(value / 256), Math.ceil(modulus / 256), limit);
  };
  if (moduli.length === 1) {
    write(values[0] ?? 0, moduli[0] ?? 0, 2);
    return bytes;
  }
  const pairs: [number, number][] = [];
  for (let at = 0; at < moduli.length; at += 2) {
    const [value = 0, nextValue = 0, modulus = 0, nextModulus] = [
      values[at],
      values[at + 1],
      moduli[at],
      moduli[at + 1],
    ];
    if (nextModulus === undefined) pairs.push([value, modulus]);
    else pairs.push(write(value + modulus * nextValue, modulus * nextModulus, 16_384));
  }
  const rest = encode(
    pairs.map(([value]) => value),
    pairs.map(([, modulus]) => modulus),
  );
  return [...bytes, ...rest];
}

describe("sntrup761", () => {
  it("rejects a ciphertext of a polynomial with another weight, although its hash is right (decapsulation)", () => {
    const rejected = new Uint8Array(191).fill(7);
    const bytes = randomAfter([]);
    const key = kem.generate(randomAfter([bytes(4 * p), bytes(4 * p), rejected.slice()]));
    // r = 0, so h * r = 0. A coefficient c is encoded as c + 1 in two bits, a rounded one as (c + 2295) / 3.
    const encodedR = new Uint8Array(191).fill(0x55).fill(1, 190);
    const rounded = Uint8Array.from(encode(repeat(765), repeat(1531)));
    expect(rounded).toHaveLength(1007);
    const ciphertext = concat(rounded, hash(2, hash(3, encodedR), hash(4, key.publicKey)));
    const secret = key.decapsulate(ciphertext);
    expect(secret).not.toEqual(hash(1, hash(3, encodedR), ciphertext));
    expect(secret).toEqual(hash(0, hash(3, rejected), ciphertext));
  });

  it("overwrites the random bytes of a private key, used or discarded, and of an encapsulation", () => {
    const given: Bytes[] = [];
    const source = randomAfter([]);
    const random: Random = (size) => {
      const bytes = source(size);
      given.push(bytes);
      return bytes;
    };
    const key = kem.generate(random);
    key.decapsulate(kem.encapsulate(key.publicKey, random).ciphertext);
    kem.generate(random).discard?.();
    expect(given).toHaveLength(7);
    for (const bytes of given) expect(bytes).toEqual(new Uint8Array(bytes.length));
  });

  it("draws again after a polynomial without an inverse (key generation)", () => {
    // Each word draws the coefficient 0, and the polynomial 0 has no inverse.
    const zero = new Uint8Array(4 * p).fill(0x20);
    const { publicKey } = kem.generate(randomAfter([zero]));
    expect(publicKey).toEqual(kem.generate(randomAfter([])).publicKey);
  });
});
