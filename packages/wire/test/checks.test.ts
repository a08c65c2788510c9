/** Checks of options: what is wrong is named, and no value that may be a secret is told. */
import { describe, expect, it } from "vitest";
import { expectList, expectSignal, expectText, expectType, kindOf } from "../src/index.ts";

describe("kindOf", () => {
  it.each([
    [null, "null"],
    [undefined, "undefined"],
    ["", '""'],
    ["secret", "string"],
    [["secret"], "Array"],
    [Promise.resolve("secret"), "Promise"],
    [{ password: "secret" }, "Object"],
    [Object.create(null), "Object"],
    [Uint8Array.of(1), "Uint8Array"],
    [() => "secret", "function"],
    [1n, "bigint"],
  ])("names the type of %o", (value, kind) => {
    expect(kindOf(value)).toBe(kind);
  });
});

it("an error names the option, what was expected and the type that came, never a text", () => {
  const misuse = (message: string): unknown => expect.objectContaining({ code: "misuse", message });
  expect(() => expectType("x", "secret", "function")).toThrow(misuse("expected x to be a function, got string"));
  expect(() => expectText("x", ["secret"])).toThrow(misuse("expected x to be a non-empty string, got Array"));
  expect(() => expectSignal(new AbortController())).toThrow(
    misuse("expected signal to be an AbortSignal, got AbortController"),
  );
  const names = (one: unknown): boolean => typeof one === "string";
  expect(() => expectList("x to hold names", ["a", null], names)).toThrow(misuse("expected x to hold names, got null"));
  // A hole in a list is an entry like any other.
  expect(() => expectList("x to hold names", new Array(1), names)).toThrow(
    misuse("expected x to hold names, got undefined"),
  );
  expect(() => expectList("x to hold names", "ab", names)).toThrow(misuse("expected x to hold names, got string"));
});
