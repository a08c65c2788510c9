/** Checks of options: what is wrong is named, and no value that may be a secret is told. */
import { describe, expect, it } from "vitest";
import { describeType, expectList, expectSignal, expectText, expectType } from "../src/index.ts";

describe("describeType", () => {
  it.each([
    [null, "null"],
    [undefined, "undefined"],
    ["", "a string"],
    ["secret", "a string"],
    [["secret"], "an array"],
    [Promise.resolve("secret"), "a Promise; did you forget await?"],
    [{ password: "secret" }, "an object"],
    [Object.create(null), "an object"],
    [Uint8Array.of(1), "an instance of Uint8Array"],
    [() => "secret", "a function"],
    [1n, "a bigint"],
  ])("names the type of %o", (value, kind) => {
    expect(describeType(value)).toBe(kind);
  });
});

it("an error names the option, what was expected and the type that came, never a text", () => {
  const misuse = (message: string): unknown => expect.objectContaining({ code: "misuse", message });
  expect(() => expectType("x", "secret", "function")).toThrow(misuse("expected x to be a function, got a string"));
  expect(() => expectText("x", ["secret"])).toThrow(misuse("expected x to be a non-empty string, got an array"));
  expect(() => expectSignal(new AbortController())).toThrow(
    misuse("expected signal to be an AbortSignal, got an instance of AbortController"),
  );
  const names = (one: unknown): boolean => typeof one === "string";
  expect(() => expectList("x to hold names", ["a", null], names)).toThrow(misuse("expected x to hold names, got null"));
  // A hole in a list is an entry like any other.
  expect(() => expectList("x to hold names", Object.assign([], { length: 1 }), names)).toThrow(
    misuse("expected x to hold names, got undefined"),
  );
  expect(() => expectList("x to hold names", "ab", names)).toThrow(misuse("expected x to hold names, got a string"));
});
