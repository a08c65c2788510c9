import { expect, it } from "vitest";
import { runAgain } from "../../src/system/run-again.ts";

it("runs once more for any number of requests during a run", async () => {
  const ends: (() => void)[] = [];
  const request = runAgain(() => new Promise((resolve) => ends.push(resolve)));
  for (let i = 0; i < 1000; i++) request();
  expect(ends).toHaveLength(1);
  ends[0]?.();
  await expect.poll(() => ends.length).toBe(2);
  ends[1]?.();
  await new Promise((resolve) => setImmediate(resolve));
  expect(ends).toHaveLength(2);
  request();
  expect(ends).toHaveLength(3);
});
