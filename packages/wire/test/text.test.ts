/** Escaping of a peer's text for errors, logs and events. */
import { describe, expect, it } from "vitest";
import { quote, sanitizeText } from "../src/index.ts";

describe("sanitizeText", () => {
  it("keeps printable text in any script", () => {
    const text = 'Grüße, 世界 🚀 "C:\\dir" – naïve';
    expect(sanitizeText(text)).toBe(text);
  });

  it.each([
    ["C0 controls", "\0\x07\b\t\n\r\x1b"],
    ["DEL and C1 controls", "\x7f\x85\x9b"],
    ["bidirectional controls", "\u200e\u200f\u202a\u202e\u2066\u2069\u061c"],
    ["zero-width characters", "\u200b\u200c\u200d\u2060\ufeff\u00ad"],
    ["line and paragraph separators", "\u2028\u2029"],
    ["invisible fillers, variation selectors and tags", "\u115f\u3164\ufe0f\u{e0041}\u{e0100}"],
    ["lone surrogates, private and unassigned code points", "\ud800\ue000\u{10ffff}"],
  ])("escapes %s", (_what, text) => {
    const escaped = Array.from(text, (char) => `\\u{${char.codePointAt(0)?.toString(16)}}`).join("");
    expect(sanitizeText(`a${text}b`)).toBe(`a${escaped}b`);
  });

  it("keeps only line ends and tabs of a text with several lines", () => {
    expect(sanitizeText("one\r\ntwo\n\tthree\rfour\x1b[2J", true)).toBe("one\ntwo\n\tthree\\u{d}four\\u{1b}[2J");
  });
});

describe("quote", () => {
  it("escapes and truncates", () => {
    expect(quote("a\x1b[2J\u202eb")).toBe('"a\\u{1b}[2J\\u{202e}b"');
    expect(quote("abcdef", 3)).toBe('"abc…"');
    expect(quote("ab🚀", 3)).toBe('"ab\\u{d83d}…"');
  });
});
