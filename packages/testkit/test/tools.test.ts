import { createHash } from "node:crypto";
import { type Bytes, concat, toHex } from "@postern/wire";
import { describe, expect, it } from "vitest";
import {
  allFlips,
  chunkings,
  fakeClock,
  flip,
  randomBelow,
  randomChunks,
  sampledFlips,
  seededRandom,
} from "../src/index.ts";

function bitsApart(a: Bytes, b: Bytes): number[] {
  const bits: number[] = [];
  for (let bit = 0; bit < 8 * a.length; bit++) {
    if ((((a[bit >> 3] ?? 0) ^ (b[bit >> 3] ?? 0)) >> (bit & 7)) & 1) bits.push(bit);
  }
  return bits;
}

describe("seededRandom", () => {
  it("returns SHA-256 of the seed and a counter, as documented", () => {
    const counter = (n: number) => Buffer.from([0, 0, 0, 0, 0, 0, 0, n]);
    const block = (n: number) => createHash("sha256").update("näive seed").update(counter(n)).digest("hex");
    expect(toHex(seededRandom("näive seed")(80))).toBe((block(0) + block(1) + block(2)).slice(0, 160));
  });

  it("returns one stream, however the calls divide it", () => {
    const whole = seededRandom("x")(100);
    const random = seededRandom("x");
    expect(concat(...[0, 1, 31, 33, 35].map((size) => random(size)))).toEqual(whole);
  });

  it("returns other bytes for another seed, and a new buffer each time", () => {
    expect(seededRandom("a")(32)).not.toEqual(seededRandom("b")(32));
    const random = seededRandom("a");
    const first = random(8);
    const kept = Uint8Array.from(first);
    random(8).fill(0);
    expect(first).toEqual(kept);
    first.fill(0);
    expect(concat(kept, random(0))).toEqual(seededRandom("a")(8));
  });
});

describe("randomBelow", () => {
  it("returns every integer below the limit and no other", () => {
    const random = seededRandom("dice");
    const seen = new Set(Array.from({ length: 200 }, () => randomBelow(random, 6)));
    expect(seen).toEqual(new Set([0, 1, 2, 3, 4, 5]));
    expect(randomBelow(() => Uint8Array.of(0xff, 0xff, 0xff, 0xff), 2 ** 32)).toBe(2 ** 32 - 1);
  });

  it.each([0, 1.5, 2 ** 32 + 1])("refuses %d", (below) => {
    expect(() => randomBelow(seededRandom(""), below)).toThrow(expect.objectContaining({ code: "misuse" }));
  });
});

describe("fakeClock", () => {
  it("runs timers in the order of time, each at its own time, and includes those set meanwhile", () => {
    const clock = fakeClock(1000);
    const ran: string[] = [];
    const note = (name: string) => ran.push(`${name} ${clock.now()}`);
    clock.setTimer(1030, () => note("c"));
    clock.setTimer(1010, () => {
      note("a");
      clock.setTimer(1010, () => note("a2"));
      clock.setTimer(1020, () => note("b2"));
    });
    clock.setTimer(1020, () => note("b"));
    clock.setTimer(500, () => note("late"));
    clock.advance(20);
    expect(ran).toEqual(["late 1000", "a 1010", "a2 1010", "b 1020", "b2 1020"]);
    expect(clock.now()).toBe(1020);
    expect(clock.pending).toBe(1);
    clock.advance(10);
    expect(ran.at(-1)).toBe("c 1030");
    expect(clock.pending).toBe(0);
  });

  it("does not run a cancelled timer, and runs no timer twice", () => {
    const clock = fakeClock();
    let ran = 0;
    const cancel = clock.setTimer(5, () => (ran += 100));
    clock.setTimer(5, () => (ran += 1));
    cancel();
    cancel();
    clock.advance(5);
    clock.advance(5);
    expect(ran).toBe(1);
    expect(() => clock.advance(-1)).toThrow(expect.objectContaining({ code: "misuse" }));
  });
});

describe("chunkings", () => {
  const bytes = seededRandom("bytes")(5000);
  const ways = [...chunkings(bytes, seededRandom("cuts"))];

  it.each(ways)("$name: returns the same bytes in chunks with buffers of their own", ({ chunks }) => {
    expect(concat(...chunks)).toEqual(bytes);
    expect(new Set([bytes, ...chunks].map((chunk) => chunk.buffer)).size).toBe(chunks.length + 1);
    expect(chunks.every((chunk) => chunk.length > 0)).toBe(true);
  });

  it("cuts into one chunk, single bytes, sevens and random sizes", () => {
    const sizes = Object.fromEntries(
      ways.map(({ name, chunks }) => [name, new Set(chunks.map(({ length }) => length))]),
    );
    expect(sizes.whole).toEqual(new Set([5000]));
    expect(sizes["1 byte"]).toEqual(new Set([1]));
    expect(sizes["7 bytes"]).toEqual(new Set([7, 5000 % 7]));
    expect(sizes.random?.size).toBeGreaterThan(5);
  });

  it("repeats for the same seed, and returns no chunk for no bytes", () => {
    const again = [...chunkings(bytes, seededRandom("cuts"))];
    expect(again).toEqual(ways);
    expect(randomChunks(bytes, seededRandom("other"))).not.toEqual(ways[3]?.chunks);
    for (const { chunks } of chunkings(new Uint8Array(0), seededRandom(""))) expect(chunks).toEqual([]);
  });
});

describe("flip", () => {
  const bytes = seededRandom("flip")(9);

  it("inverts one bit of a copy", () => {
    const before = Uint8Array.from(bytes);
    expect(bitsApart(flip(bytes, 13), bytes)).toEqual([13]);
    expect(bytes).toEqual(before);
    for (const bit of [-1, 72, 0.5]) {
      expect(() => flip(bytes, bit)).toThrow(expect.objectContaining({ code: "misuse" }));
    }
  });

  it("returns every bit once, or a sample of different bits in order", () => {
    const all = [...allFlips(bytes)];
    expect(all.map(({ bit }) => bit)).toEqual(Array.from({ length: 72 }, (_, bit) => bit));
    const sample = [...sampledFlips(bytes, 20, seededRandom("s"))];
    expect(sample.length).toBe(20);
    for (const flips of [all, sample]) {
      for (const { bit, bytes: flipped } of flips) expect(bitsApart(flipped, bytes)).toEqual([bit]);
      expect(flips.every(({ bit }, i) => i === 0 || bit > (flips[i - 1]?.bit ?? 0))).toBe(true);
    }
    expect([...sampledFlips(bytes, 1000, seededRandom("s"))]).toEqual(all);
    expect([...sampledFlips(bytes, 20, seededRandom("t"))]).not.toEqual(sample);
  });
});
