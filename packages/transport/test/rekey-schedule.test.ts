/** When a rekey is due. */
import { describe, expect, it } from "vitest";
import { RekeySchedule } from "../src/rekey-schedule.ts";

describe("a rekey", () => {
  const schedule = new RekeySchedule({ bytes: 1000, packets: 10, ms: 60_000 }, 0);
  const unused = { bytes: 0, packets: 0 };
  const below = { bytes: 999, packets: 9 };

  it.each([
    ["bytes", { bytes: 1000, packets: 1 }],
    ["packets", { bytes: 1, packets: 10 }],
  ])("is due once a direction has reached the limit of %s, and not before (RFC 4253 section 9)", (_what, reached) => {
    expect(schedule.isDue(below, below)).toBe(false);
    expect(schedule.isDue(reached, unused)).toBe(true);
    expect(schedule.isDue(unused, reached)).toBe(true);
  });
});
