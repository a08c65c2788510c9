/** Dials of the program that throw, lie, or settle too late. */
import type { BytePipe } from "@postern/ssh";
import { pipePair, turns } from "@postern/testkit";
import { describe, expect, it } from "vitest";
import { createDial } from "../src/index.ts";

const target = { host: "host.example", port: 22 };
type Made = BytePipe | Promise<BytePipe>;

/** Dials, and returns what has come so far. */
function dialling(make: (signal: AbortSignal) => Made, timeoutMs = 60_000) {
  const outcomes: unknown[] = [];
  const record = (outcome: unknown): void => void outcomes.push(outcome);
  const signals: AbortSignal[] = [];
  const dial = createDial("host", (_target, { signal }) => {
    signals.push(signal);
    return make(signal);
  });
  const { abort } = dial(target, timeoutMs, record, record);
  return { outcomes, abort, signals };
}

/** A pipe, and whether it was closed. */
function watched() {
  const [pipe, far] = pipePair();
  const closed: unknown[] = [];
  far.start({ data() {}, end() {}, drain() {}, closed: (error) => void closed.push(error) });
  return { pipe, closed };
}

describe("a dial", () => {
  it.each<[string, () => Made, string]>([
    [
      "throws",
      () => {
        throw new Error("no way");
      },
      "connect",
    ],
    ["rejects", () => Promise.reject(new Error("no way")), "connect"],
    ["rejects with a text", () => Promise.reject("no way"), "connect"],
    ["rejects with nothing", () => Promise.reject(undefined), "connect"],
    ["returns nothing", () => undefined as never, "misuse"],
    ["returns null", () => null as never, "misuse"],
    ["returns streams", () => ({ readable: {}, writable: {} }) as never, "misuse"],
  ])("that %s fails once, with a typed error", async (_, make, code) => {
    const { outcomes, abort, signals } = dialling(make);
    await turns();
    abort(new Error("late"));
    await turns();
    expect(outcomes).toMatchObject([{ name: "SshError", code }]);
    expect(signals[0]?.aborted).toBe(true);
  });

  it.each(["timeout", "abort"])("that resolves after its %s has its pipe aborted", async (reason) => {
    let finish = (_pipe: BytePipe): void => {};
    const make = () =>
      new Promise<BytePipe>((resolve) => {
        finish = resolve;
      });
    const { outcomes, abort, signals } = dialling(make, reason === "timeout" ? 1 : 60_000);
    if (reason === "abort") abort(new Error("enough"));
    await expect.poll(() => outcomes).toMatchObject([{ code: reason === "timeout" ? "timeout" : "aborted" }]);
    expect(signals[0]?.aborted).toBe(true);
    const { pipe, closed } = watched();
    finish(pipe);
    await expect.poll(() => closed).toHaveLength(1);
    expect(outcomes).toHaveLength(1);
  });

  it("that rejects after it was aborted is over", async () => {
    const make = (signal: AbortSignal) =>
      new Promise<BytePipe>((_resolve, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason));
      });
    const { outcomes, abort } = dialling(make);
    abort(new Error("enough"));
    await turns();
    expect(outcomes).toMatchObject([{ code: "aborted" }]);
  });
});
