/** When receive windows grow, and when they must not. */
import { Limits } from "@postern/wire";
import { describe, expect, it } from "vitest";
import { firstWindow, RoundTrip, WindowBudget, WindowGrowth } from "../src/window-growth.ts";

const KiB = 1024;
const MiB = 1024 * KiB;

interface Link {
  readonly roundTripMs: number | undefined;
  readonly bytesPerMs: number;
  /** whether the consumer has taken everything by the time of the n-th credit */
  readonly keepsUp?: (n: number) => boolean;
}

/** A peer that always has more to send, over a link of that speed; the window in the end. */
function transfer(
  growth: WindowGrowth,
  first: number,
  bytes: number,
  { bytesPerMs, roundTripMs, keepsUp = () => true }: Link,
): number {
  let window = first;
  let now = 0;
  for (let sent = 0; sent < bytes; sent += 32 * KiB) {
    // No faster than the link, and no more than a window each round trip.
    now += (32 * KiB) / Math.min(bytesPerMs, window / (roundTripMs ?? 1));
    window += growth.credit(32 * KiB, now, keepsUp(sent / (32 * KiB))) - 32 * KiB;
  }
  return window;
}

describe("a receive window", () => {
  it("grows on a long link until it is no longer the limit", () => {
    const growth = new WindowGrowth(2 * MiB, new WindowBudget(64 * MiB), () => 100);
    // 100 MB/s over 100 ms need 10 MB on the way.
    expect(transfer(growth, 2 * MiB, 200 * MiB, { roundTripMs: 100, bytesPerMs: 100_000 })).toBe(16 * MiB);
  });

  it("never grows beyond the largest window", () => {
    const growth = new WindowGrowth(2 * MiB, new WindowBudget(1024 * MiB), () => 500);
    const window = transfer(growth, 2 * MiB, 1024 * MiB, { roundTripMs: 500, bytesPerMs: 1_000_000 });
    expect(window).toBe(Limits.largestWindow);
  });

  it("stays as it is on a short link, however fast", () => {
    const growth = new WindowGrowth(2 * MiB, new WindowBudget(64 * MiB), () => undefined);
    expect(transfer(growth, 2 * MiB, 256 * MiB, { roundTripMs: undefined, bytesPerMs: 1_000_000 })).toBe(2 * MiB);
  });

  it("stays as it is when the link is slow, and the window not its limit", () => {
    const growth = new WindowGrowth(2 * MiB, new WindowBudget(64 * MiB), () => 100);
    expect(transfer(growth, 2 * MiB, 64 * MiB, { roundTripMs: 100, bytesPerMs: 5_000 })).toBe(2 * MiB);
  });

  it("stays as it is when the consumer is slow", () => {
    const growth = new WindowGrowth(2 * MiB, new WindowBudget(64 * MiB), () => 100);
    const link = { roundTripMs: 100, bytesPerMs: 100_000, keepsUp: () => false };
    expect(transfer(growth, 2 * MiB, 64 * MiB, link)).toBe(2 * MiB);
  });

  it("grows though the consumer needs a moment for what comes in one burst, and not when it is behind half of the time", () => {
    const behindOneIn = (count: number): number => {
      const growth = new WindowGrowth(2 * MiB, new WindowBudget(64 * MiB), () => 100);
      const link = { roundTripMs: 100, bytesPerMs: 100_000, keepsUp: (n: number) => n % count !== 0 };
      return transfer(growth, 2 * MiB, 200 * MiB, link);
    };
    expect(behindOneIn(20)).toBe(16 * MiB);
    expect(behindOneIn(2)).toBe(2 * MiB);
  });

  it("shares one budget with all others of its connection, and gives it back", () => {
    const budget = new WindowBudget(64 * MiB);
    const link = { roundTripMs: 100, bytesPerMs: 1_000_000 };
    const all = Array.from({ length: 1000 }, () => new WindowGrowth(2 * MiB, budget, () => 100));
    const windows = all.map((growth) => transfer(growth, 2 * MiB, 64 * MiB, link));
    const extra = windows.reduce((sum, window) => sum + window - 2 * MiB, 0);
    expect(extra).toBe(64 * MiB);
    expect(budget.open).toBe(false);
    for (const growth of all) growth.end();
    expect(budget.take(1024 * MiB)).toBe(64 * MiB);
  });

  it("goes back to its first size after a pause, by giving no credit", () => {
    const budget = new WindowBudget(64 * MiB);
    const growth = new WindowGrowth(2 * MiB, budget, () => 100);
    const window = transfer(growth, 2 * MiB, 200 * MiB, { roundTripMs: 100, bytesPerMs: 100_000 });
    const later = 1e6;
    let after = window;
    for (let i = 0; i < (window - 2 * MiB) / (32 * KiB); i++)
      after += growth.credit(32 * KiB, later + i, true) - 32 * KiB;
    expect(after).toBe(2 * MiB);
    expect(budget.take(1024 * MiB)).toBe(64 * MiB);
  });
});

describe("a round trip", () => {
  it("is long only when every one of several samples was", () => {
    const link = new RoundTrip();
    for (const ms of [100, 100]) link.add(ms);
    expect([link.wanted, link.long]).toEqual([true, undefined]);
    link.add(90);
    expect([link.wanted, link.long]).toEqual([false, 90]);
    link.add(1);
    expect(link.long).toBeUndefined();
  });
});

describe("the first windows of many channels", () => {
  it("together come to about a gigabyte at the most, and each takes a packet", () => {
    let sum = 0;
    for (let channels = 0; channels < Limits.channels; channels++) {
      const window = firstWindow(channels);
      expect(window).toBeGreaterThanOrEqual(Limits.maxPacket);
      sum += window;
    }
    expect(firstWindow(0)).toBe(2 * MiB);
    expect(firstWindow(63)).toBe(2 * MiB);
    expect(sum).toBeLessThan(1100 * MiB);
  });
});
