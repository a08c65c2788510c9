import { describe, expect, it } from "vitest";
import { matchPattern } from "../src/match-pattern.ts";

describe("matchPattern", () => {
  it.each([
    ["localhost", "localhost", true],
    ["localhost", "local*", true],
    ["localhost", "*host", true],
    ["localhost", "l*c?lh*t", true],
    ["", "*", true],
    ["", "", true],
    ["", "?", false],
    ["localhost", "local", false],
    ["local", "localhost", false],
    ["aab", "*ab", true],
    ["mississippi", "*iss*ip*", true],
    ["mississippi", "*iss*ix*", false],
    ["a-b", ["a", (letter: string) => letter === "-", "b"], true],
    ["a/b", ["a", (letter: string) => letter === "-", "b"], false],
    ["", [() => true], false],
  ])("matches %j against %j: %s", (text, pattern, matches) => expect(matchPattern(text, pattern)).toBe(matches));
});
