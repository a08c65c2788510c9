/** Checks of options: errors name the option, and contain no value that may be a secret. */
import { describe, expect, it } from "vitest";
import { describeType, expectList, expectPort, expectSignal, expectText, expectType } from "../src/index.ts";

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

it("names the option, the expectation and the type of the value, never its text", () => {
  const misuse = (message: string): unknown => expect.objectContaining({ code: "misuse", message });
  expect(() => expectType("x", "secret", "function")).toThrow(misuse("expected x to be a function, got a string"));
  expect(() => expectText("x", ["secret"])).toThrow(misuse("expected x to be a non-empty string, got an array"));
  expect(() => expectSignal(new AbortController())).toThrow(
    misuse("expected signal to be an AbortSignal, got an instance of AbortController"),
  );
  const names = (one: unknown): boolean => typeof one === "string";
  expect(() => expectList("x to contain names", ["a", null], names)).toThrow(
    misuse("expected x to contain names, got null"),
  );
  // A hole in a list counts as an entry.
  expect(() => expectList("x to contain names", Object.assign([], { length: 1 }), names)).toThrow(
    misuse("expected x to contain names, got undefined"),
  );
  expect(() => expectList("x to contain names", "ab", names)).toThrow(
    misuse("expected x to contain names, got a string"),
  );
});

it("expectPort shows a string of digits, and nothing of other strings", () => {
  expect(() => expectPort("port", "8080", 1)).toThrow(
    'expected port to be a port number from 1 to 65535, got the string "8080"',
  );
  expect(() => expectPort("port", "my secret", 1)).toThrow(/got a string$/);
  expect(() => expectPort("port", 0, 1)).toThrow(/got 0$/);
  expect(() => expectPort("port", 0, 0)).not.toThrow();
});
