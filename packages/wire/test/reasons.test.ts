/** Checks of numbers and texts, and the reason codes of DISCONNECT (RFC 4253 section 11.1). */
import { describe, expect, it } from "vitest";
import {
  DisconnectReason,
  disconnectDescription,
  disconnectReason,
  expectInteger,
  expectList,
  expectNumber,
  expectSignal,
  expectText,
  SshError,
} from "../src/index.ts";

const misuse = (message: string): unknown => expect.objectContaining({ code: "misuse", message });

describe("an option", () => {
  it("that is a number may be its least value or infinite, but not NaN or a string of digits", () => {
    for (const good of [2, 2.5, Number.POSITIVE_INFINITY]) expect(() => expectNumber("x", good, 2)).not.toThrow();
    expect(() => expectNumber("x", 0)).not.toThrow();
    for (const [bad, got] of [
      [1.9, "1.9"],
      [Number.NaN, "NaN"],
      ["5", "a string"],
      [undefined, "undefined"],
    ] as const) {
      expect(() => expectNumber("x", bad, 2)).toThrow(misuse(`expected x to be a number of at least 2, got ${got}`));
    }
    expect(() => expectNumber("x", -1)).toThrow(misuse("expected x to be a number of at least 0, got -1"));
  });

  it("that is an integer may be its least value, but no fraction, no infinity and no string", () => {
    for (const good of [2, 3]) expect(() => expectInteger("x", good, 2)).not.toThrow();
    for (const [bad, got] of [
      [1, "1"],
      [2.5, "2.5"],
      [Number.POSITIVE_INFINITY, "Infinity"],
      ["5", "a string"],
    ] as const) {
      expect(() => expectInteger("x", bad, 2)).toThrow(misuse(`expected x to be an integer of at least 2, got ${got}`));
    }
  });

  it("that is a text, a list or a signal is accepted if it is one", () => {
    expect(() => expectText("x", "a")).not.toThrow();
    expect(() => expectText("x", "")).toThrow(misuse('expected x to be a non-empty string, got ""'));
    expect(() => expectList("x to contain names", ["a"], (one) => one === "a")).not.toThrow();
    expect(() => expectList("x to contain names", [], () => false)).not.toThrow();
    for (const good of [undefined, new AbortController().signal]) expect(() => expectSignal(good)).not.toThrow();
    expect(() => expectSignal(null)).toThrow(misuse("expected signal to be an AbortSignal, got null"));
  });
});

describe("DISCONNECT", () => {
  it("has the reason code of the error, and BY_APPLICATION for any other", () => {
    expect(disconnectReason(new SshError("mac", "x"))).toBe(5);
    expect(disconnectReason(new SshError("kex", "x"))).toBe(3);
    expect(disconnectReason(new SshError("misuse", "x"))).toBe(11);
    expect(disconnectReason(new Error("x"))).toBe(11);
  });

  it("is described by the name of its code, never by the text of an error", () => {
    expect(disconnectDescription(DisconnectReason.MAC_ERROR)).toBe("mac error");
    expect(disconnectDescription(99)).toBe("unknown reason");
  });
});
