/** Equal turns of busy sockets. */
import { setImmediate } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { mayReadOn } from "../src/read-turns.ts";

function reader() {
  const one = { turns: 0, nextTurn: () => void one.turns++ };
  return one;
}

describe("turns of busy sockets", () => {
  it("lets a socket that is busy alone read on", async () => {
    const alone = reader();
    for (let turn = 0; turn < 3; turn++) {
      expect([mayReadOn(alone), mayReadOn(alone)]).toEqual([true, true]);
      await setImmediate();
    }
    expect(alone.turns).toBe(0);
  });

  it("makes each of several busy sockets wait for the next turn after one full read", async () => {
    const [first, second] = [reader(), reader()];
    expect([mayReadOn(first), mayReadOn(first), mayReadOn(second)]).toEqual([true, true, true]);
    await setImmediate();
    expect([mayReadOn(first), mayReadOn(second)]).toEqual([false, false]);
    expect([first.turns, second.turns]).toEqual([0, 0]);
    await setImmediate();
    expect([first.turns, second.turns]).toEqual([1, 1]);
    // The last turn of both was contended, so the one that goes on waits once more.
    expect(mayReadOn(first)).toBe(false);
    await setImmediate();
    expect(first.turns).toBe(2);
    expect(mayReadOn(first)).toBe(true);
    await setImmediate();
    expect([first.turns, second.turns]).toEqual([2, 1]);
  });
});
