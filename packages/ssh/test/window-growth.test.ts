/** The budget of all receive windows, when windows grow, and when they must not. */
import * as Limits from "@postern/wire/limits";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RoundTrip, WindowBudget, WindowGrowth } from "../src/window-growth.ts";

const KiB = 1024;
const MiB = 1024 * KiB;

interface Link {
  readonly roundTripMs: number | undefined;
  readonly bytesPerMs: number;
  /** whether the consumer has read everything by the n-th credit */
  readonly keepsUp?: (n: number) => boolean;
}

/** Simulates a peer that always has more to send over such a link. Returns the final window. */
function transfer(
  growth: WindowGrowth,
  bytes: number,
  { bytesPerMs, roundTripMs, keepsUp = () => true }: Link,
): number {
  let window = growth.size;
  let now = 0;
  for (let sent = 0; sent < bytes; sent += 32 * KiB) {
    // At most the speed of the link, and at most one window per round trip.
    now += (32 * KiB) / Math.min(bytesPerMs, window / (roundTripMs ?? 1));
    window += growth.credit(32 * KiB, now, keepsUp(sent / (32 * KiB))) - 32 * KiB;
  }
  return window;
}

describe("a receive window", () => {
  it("grows on a slow link until it is no longer the bottleneck", () => {
    const growth = new WindowGrowth(new WindowBudget(256 * MiB), () => 100);
    // 100 MB/s at 100 ms need 10 MB in flight.
    expect(transfer(growth, 200 * MiB, { roundTripMs: 100, bytesPerMs: 100_000 })).toBe(16 * MiB);
  });

  it("never grows beyond the largest window", () => {
    const growth = new WindowGrowth(new WindowBudget(256 * MiB), () => 500);
    const window = transfer(growth, 1024 * MiB, { roundTripMs: 500, bytesPerMs: 1_000_000 });
    expect(window).toBe(Limits.largestWindow);
  });

  it("keeps its size on a link with short round trips, however fast", () => {
    const growth = new WindowGrowth(new WindowBudget(256 * MiB), () => undefined);
    expect(transfer(growth, 256 * MiB, { roundTripMs: undefined, bytesPerMs: 1_000_000 })).toBe(2 * MiB);
  });

  it("keeps its size when the bandwidth is the bottleneck", () => {
    const growth = new WindowGrowth(new WindowBudget(256 * MiB), () => 100);
    expect(transfer(growth, 64 * MiB, { roundTripMs: 100, bytesPerMs: 5_000 })).toBe(2 * MiB);
  });

  it("keeps its size when the consumer is slow", () => {
    const growth = new WindowGrowth(new WindowBudget(256 * MiB), () => 100);
    const link = { roundTripMs: 100, bytesPerMs: 100_000, keepsUp: () => false };
    expect(transfer(growth, 64 * MiB, link)).toBe(2 * MiB);
  });

  it("grows if the consumer is behind only briefly after a burst, and not if it is behind half of the time", () => {
    const behindOneIn = (count: number): number => {
      const growth = new WindowGrowth(new WindowBudget(256 * MiB), () => 100);
      const link = { roundTripMs: 100, bytesPerMs: 100_000, keepsUp: (n: number) => n % count !== 0 };
      return transfer(growth, 200 * MiB, link);
    };
    expect(behindOneIn(20)).toBe(16 * MiB);
    expect(behindOneIn(2)).toBe(2 * MiB);
  });

  it("grows by at most 64 MiB together with all others of its connection, and returns them", () => {
    const budget = new WindowBudget(256 * MiB);
    const link = { roundTripMs: 100, bytesPerMs: 1_000_000 };
    const open = (count: number): WindowGrowth[] =>
      Array.from({ length: count }, () => new WindowGrowth(budget, () => 100));
    const grow = (all: readonly WindowGrowth[]): number =>
      all.reduce((sum, growth) => sum + transfer(growth, 64 * MiB, link) - 2 * MiB, 0);
    const all = open(8);
    expect(grow(all)).toBe(64 * MiB);
    for (const growth of all.slice(0, 4)) growth.end(0);
    expect(grow(open(4))).toBe(4 * 14 * MiB);
  });

  it("returns to its first size after a pause, by withholding credit", () => {
    const growth = new WindowGrowth(new WindowBudget(256 * MiB), () => 100);
    const window = transfer(growth, 200 * MiB, { roundTripMs: 100, bytesPerMs: 100_000 });
    const later = 1e6;
    let after = window;
    for (let i = 0; i < (window - 2 * MiB) / (32 * KiB); i++)
      after += growth.credit(32 * KiB, later + i, true) - 32 * KiB;
    expect(after).toBe(2 * MiB);
    expect(growth.size).toBe(2 * MiB);
  });

  it("keeps a size that the program set", () => {
    const growth = new WindowGrowth(new WindowBudget(256 * MiB), () => 100, MiB);
    expect(transfer(growth, 200 * MiB, { roundTripMs: 100, bytesPerMs: 100_000 })).toBe(MiB);
  });
});

describe("the windows of many channels", () => {
  const noLink = (): undefined => undefined;
  const open = (budget: WindowBudget, count: number): WindowGrowth[] =>
    Array.from({ length: count }, () => new WindowGrowth(budget, noLink));
  const sum = (all: readonly WindowGrowth[]): number => all.reduce((total, { size }) => total + size, 0);
  /** Each channel receives a megabyte in turn, until the windows are stable. */
  const busy = (all: readonly WindowGrowth[]): void => {
    for (let round = 0; round < 100; round++) for (const one of all) one.credit(32 * KiB, round, true);
  };

  it("are 2 MiB each for the first 48, and stay within the budget for the maximum number of channels", () => {
    const all = open(new WindowBudget(256 * MiB), Limits.channels);
    expect(all.slice(0, 48).every(({ size }) => size === 2 * MiB)).toBe(true);
    expect(all.every(({ size }) => size >= Limits.leastWindow)).toBe(true);
    expect(sum(all)).toBeLessThanOrEqual(256 * MiB);
  });

  it("become equal when all are busy: large ones shrink by withholding credit, small ones grow", () => {
    const all = open(new WindowBudget(256 * MiB), 1000);
    busy(all);
    for (const { size } of all) expect(size).toBeGreaterThan(190 * KiB);
    expect(sum(all)).toBeLessThanOrEqual(256 * MiB);
    for (const one of all.splice(10)) one.end(0);
    busy(all);
    for (const { size } of all) expect(size).toBe(2 * MiB);
  });

  it("count a closed channel until its last unread byte is read", () => {
    const budget = new WindowBudget(256 * MiB);
    // Each fills its window, and leaves.
    const closed = Array.from({ length: 500 }, () => new WindowGrowth(budget, () => undefined));
    for (const one of closed) one.end(one.size);
    const honest = new WindowGrowth(budget, () => undefined);
    expect(honest.size).toBeGreaterThan(16 * KiB);
    for (const one of closed) one.release();
    expect(new WindowGrowth(budget, () => undefined).size).toBe(2 * MiB);
  });

  it("stay within the budget under any sequence of operations, and return all of it", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(3), fc.nat(1000), fc.nat(2 * MiB)), { maxLength: 400 }), (steps) => {
        const budget = new WindowBudget(256 * MiB);
        const all: WindowGrowth[] = [];
        /** channels that are gone, with what they still hold */
        const gone = new Map<WindowGrowth, number>();
        let held = 0;
        steps.forEach(([what, which, bytes], at) => {
          const [one] = what === 0 ? [] : all.slice(which % Math.max(1, all.length)).slice(0, 1);
          if (one === undefined) all.push(...open(budget, 1 + (which % 20)));
          else if (what === 1) {
            all.splice(all.indexOf(one), 1);
            const left = Math.min(bytes, one.size);
            one.end(left);
            held += left;
            if (left > 0) gone.set(one, left);
          } else if (what === 2) {
            const size = Math.min(bytes, one.size);
            expect(one.credit(size, 10 * at, true)).toBeGreaterThanOrEqual(0);
          } else {
            const [[past, left] = []] = gone;
            if (past === undefined || left === undefined) return;
            const taken = Math.min(bytes, left);
            past.release(taken);
            held -= taken;
            gone.delete(past);
            if (left > taken) gone.set(past, left - taken);
          }
          // Data of closed channels may exceed the budget by the minimum window of each.
          expect(sum(all) + held).toBeLessThanOrEqual(256 * MiB);
        });
        for (const one of all) one.end(0);
        for (const past of gone.keys()) past.release();
        expect(budget.open()).toBe(2 * MiB);
        expect(budget.share).toBe(192 * MiB + Limits.leastWindow);
      }),
      { numRuns: 200 },
    );
  });
});

describe("a round trip", () => {
  it("counts as long only if each of several samples was", () => {
    const link = new RoundTrip();
    for (const ms of [100, 100]) link.add(ms);
    expect([link.needsSamples, link.long]).toEqual([true, undefined]);
    link.add(90);
    expect([link.needsSamples, link.long]).toEqual([false, 90]);
    link.add(1);
    expect(link.long).toBeUndefined();
  });
});
