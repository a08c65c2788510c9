import { chunkings, randomBelow, seededRandom } from "@postern/testkit";
import { utf8 } from "@postern/wire";
import { expect, test } from "vitest";
import { createLineEditor, type LineEnd } from "../../src/terminal/line-editor.ts";

function type(keys: string, echo = true): { readonly shown: string; readonly end: LineEnd | undefined } {
  const { echo: shown, end } = createLineEditor(echo).feed(utf8(keys));
  return { shown, end };
}

const line = (text: string) => ({ type: "line", line: text });

test.each([
  ["Enter", "yes\r", "yes"],
  ["a line feed", "yes\n", "yes"],
  ["^D twice", "yes\x04\x04", "yes"],
  ["^D without a line", "\x04", ""],
])("ends a line with %s", (_key, keys, answer) => {
  expect(type(keys).end).toEqual(line(answer));
});

test("waits for a second ^D if the line has text, as canonical mode does", () => {
  expect(type("yes\x04").end).toBeUndefined();
  expect(type("yes\x04!\x04").end).toBeUndefined();
});

test.each([
  ["backspace", "nox\x7f\r", "no", "nox\b \b"],
  ["^H", "nox\b\r", "no", "nox\b \b"],
  ["backspace of a character of several bytes", "ä\x7fa\r", "a", "ä\b \ba"],
  ["backspace of a wide character", "長\x7fa\r", "a", "長\b \b\b \ba"],
  ["backspace at the start", "\x7fa\r", "a", "a"],
  ["^U", "wrong\x15a\r", "a", `wrong${"\b \b".repeat(5)}a`],
  ["^W", "one two  \x17a\r", "one a", `one two  ${"\b \b".repeat(5)}a`],
])("erases with %s", (_key, keys, answer, shown) => {
  expect(type(keys)).toEqual({ shown, end: line(answer) });
});

test("takes a control character after ^V as it is, and shows it as ^C", () => {
  expect(type("a\x16\x03\r")).toEqual({ shown: "a^C", end: line("a\x03") });
  expect(type("a\x16\x03\x7f\r")).toEqual({ shown: "a^C\b \b\b \b", end: line("a") });
});

test.each([
  ["^C", "\x03", "SIGINT"],
  ["^\\", "\x1c", "SIGQUIT"],
  ["^Z", "\x1a", "SIGTSTP"],
])("ends with a signal for %s", (_key, keys, signal) => {
  expect(type(`half${keys}`).end).toEqual({ type: "signal", signal });
});

test("shows nothing of a secret", () => {
  expect(type("secret\x7f\x15x\x16\x03ä\r", false)).toEqual({ shown: "", end: line("x\x03ä") });
});

test("drops what follows the end of the line", () => {
  expect(type("yes\rrm -rf\r")).toEqual({ shown: "yes", end: line("yes") });
});

test("holds at most 4095 bytes, and rings the bell for more", () => {
  const { shown, end } = type(`${"x".repeat(5000)}\r`);
  expect(end).toEqual(line("x".repeat(4095)));
  expect(shown).toBe("x".repeat(4095) + "\x07".repeat(905));
});

test("does not depend on how the keys arrive", () => {
  const random = seededRandom("line editor");
  const keys = ["a", "ä", "長", "\u{1f600}", " ", "\x7f", "\x15", "\x17", "\x16", "\x04", "\x01"];
  for (let round = 0; round < 200; round += 1) {
    const text = Array.from({ length: randomBelow(random, 30) }, () => keys[randomBelow(random, keys.length)]).join("");
    const whole = type(`${text}\r`);
    for (const { chunks } of chunkings(utf8(`${text}\r`), random)) {
      const editor = createLineEditor(true);
      let shown = "";
      let end: LineEnd | undefined;
      for (const chunk of chunks) {
        const result = editor.feed(chunk);
        shown += result.echo;
        end ??= result.end;
        if (end !== undefined) break;
      }
      expect({ shown, end }).toEqual(whole);
    }
  }
});
