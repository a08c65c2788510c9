/** Edits the line of a question, as a terminal's canonical mode does (termios(3)). @module */
import { fromUtf8 } from "@postern/wire";
import { columnsOf } from "./columns.ts";

/** How a line ended: with an answer, with no answer (^D), or by a key that sends a signal. */
export type LineEnd =
  | { readonly type: "line"; readonly line: string }
  | { readonly type: "signal"; readonly signal: "SIGINT" | "SIGQUIT" | "SIGTSTP" };

/** Takes the bytes of keys. Bytes after the end of the line are dropped, as ssh flushes them. */
export interface LineEditor {
  /** Returns what to show, and how the line ended, if it did. */
  feed(bytes: Uint8Array): { readonly echo: string; readonly end?: LineEnd };
}

/** Most bytes of an answer. The terminal's own limit is the same (MAX_CANON, 4096 on Linux). */
const maxBytes = 4095;

const erase = (char: string): string => "\b \b".repeat(columnsOf(char));

/** Creates an editor. Without `echo` it shows nothing. */
export function createLineEditor(echo: boolean): LineEditor {
  /** the bytes of each character */
  let chars: number[][] = [];
  let size = 0;
  let isLiteral = false;
  let afterEof = true;

  const textOf = (bytes: readonly number[]): string => fromUtf8(Uint8Array.from(bytes));
  const shown = (bytes: readonly number[]): string => {
    const [code = 0] = bytes;
    if (bytes.length > 1 || (code >= 0x20 && code < 0x7f)) return textOf(bytes);
    return code < 0x20 ? `^${String.fromCharCode(code + 0x40)}` : code === 0x7f ? "^?" : "";
  };
  const drop = (count: number): string => {
    const dropped = chars.slice(chars.length - count).reverse();
    chars = chars.slice(0, chars.length - count);
    for (const bytes of dropped) size -= bytes.length;
    return dropped.flatMap((bytes) => Array.from(shown(bytes), erase)).join("");
  };
  const push = (code: number): string => {
    if (size >= maxBytes) return "\x07";
    size += 1;
    const last = chars.at(-1);
    if (code >= 0x80 && code < 0xc0 && last !== undefined && (last[0] ?? 0) >= 0xc0) {
      last.push(code);
      return last.length === lengthOf(last[0] ?? 0) ? textOf(last) : "";
    }
    chars.push([code]);
    return code >= 0x80 ? "" : shown([code]);
  };
  /** The characters that ^W erases: spaces, then a word. */
  const wordLength = (): number => {
    const text = chars.map((bytes) => (bytes.length === 1 && bytes[0] === 0x20 ? " " : "x")).join("");
    return /x* *$/.exec(text)?.[0].length ?? 0;
  };
  const key = (code: number): { echo: string; end?: LineEnd } => {
    const wasAfterEof = afterEof;
    afterEof = false;
    if (isLiteral) {
      isLiteral = false;
      return { echo: push(code) };
    }
    switch (code) {
      case 0x0a:
      case 0x0d:
        return { echo: "", end: lineEnd() };
      case 0x03:
        return { echo: "^C", end: { type: "signal", signal: "SIGINT" } };
      case 0x1c:
        return { echo: "^\\", end: { type: "signal", signal: "SIGQUIT" } };
      case 0x1a:
        return { echo: "^Z", end: { type: "signal", signal: "SIGTSTP" } };
      case 0x04:
        afterEof = true;
        return chars.length === 0 || wasAfterEof ? { echo: "", end: lineEnd() } : { echo: "" };
      case 0x08:
      case 0x7f:
        return { echo: drop(Math.min(1, chars.length)) };
      case 0x15:
        return { echo: drop(chars.length) };
      case 0x17:
        return { echo: drop(wordLength()) };
      case 0x16:
        isLiteral = true;
        return { echo: "" };
      default:
        return { echo: push(code) };
    }
  };
  const lineEnd = (): LineEnd => ({ type: "line", line: textOf(chars.flat()) });
  return {
    feed(bytes) {
      let all = "";
      for (const code of bytes) {
        const result = key(code);
        all += result.echo;
        if (result.end !== undefined) return { echo: echo ? all : "", end: result.end };
      }
      return { echo: echo ? all : "" };
    },
  };
}

/** The bytes of a character of UTF-8, by its first one. */
function lengthOf(first: number): number {
  return first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
}
