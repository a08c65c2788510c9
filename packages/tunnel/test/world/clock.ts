/** The virtual clock of a test. */
import { turns } from "@postern/testkit";
import { SshError } from "@postern/wire";
import { afterEach, beforeEach, expect, vi } from "vitest";

/** Called after the current test, last one first. */
export const afterTest: (() => void)[] = [];

/** Moves the clock. */
export async function advance(ms: number): Promise<void> {
  await turns();
  await vi.advanceTimersByTimeAsync(ms);
  await turns();
}

/** Gives each test of a file a virtual clock, and checks that the test leaves no timer behind. */
export function onVirtualClock(): void {
  beforeEach(() => {
    vi.useFakeTimers({
      toFake: ["performance", "Date", "setTimeout", "clearTimeout", "setInterval", "clearInterval"],
      now: Date.UTC(2026, 0, 1),
    });
  });
  afterEach(async () => {
    for (const end of afterTest.splice(0).reverse()) {
      end();
      await turns();
    }
    // The longest that a connection may take to end.
    await advance(5_000);
    const left = vi.getTimerCount();
    vi.useRealTimers();
    expect(left, "timers left behind").toBe(0);
  });
}

/** Returns, without moving the clock, `resolved`, `unsettled`, the code of an SshError or the name of another error. */
export async function outcome(promise: Promise<unknown>): Promise<string> {
  let text = "unsettled";
  promise.then(
    () => {
      text = "resolved";
    },
    (error: unknown) => {
      text = error instanceof SshError ? error.code : error instanceof Error ? error.name : String(error);
    },
  );
  await turns();
  return text;
}
