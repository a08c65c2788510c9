/** A line of ssh_config: keyword and arguments, split as OpenSSH 8.7 and newer split them. @module */
import { quote, SshError } from "@postern/wire";

/** Where a line is. */
export interface SshConfigPosition {
  readonly file: string;
  /** from 1; 0 on the command line, where `file` is `command-line` */
  readonly line: number;
}

/** A line that holds a keyword. */
export interface ConfigLine extends SshConfigPosition {
  /** in lower case */
  readonly keyword: string;
  /** all after the keyword as it is written, for keywords that take a command */
  readonly rest: string;
  /** the arguments, without quotes and without a comment at the end */
  readonly args: readonly string[];
}

/** White space around keywords, as OpenSSH defines it. */
const space = " \t\r\n\f\v";

/** Creates the error of a line. `problem` follows `FILE line N: `. */
export function configError(at: SshConfigPosition, problem: string, cause?: unknown): SshError {
  return new SshError(
    "misuse",
    `${quoteFree(at.file)} line ${at.line}: ${problem}`,
    cause === undefined ? undefined : { cause },
  );
}

/** Creates the error of a keyword that is not known, in the words of ssh. IgnoreUnknown permits such keywords. */
export function unknownKeyword({ file, line, keyword }: ConfigLine): SshError {
  const name = quoteFree(keyword.slice(0, 60));
  return new SshError("misuse", `${quoteFree(file)}: line ${line}: Bad configuration option: ${name}`);
}

/**
 * Parses one line. Returns `undefined` for an empty line or a comment.
 *
 * @throws SshError `misuse` with file and line for a keyword without arguments, a quote that is not closed, or a NUL
 */
export function parseConfigLine(text: string, at: SshConfigPosition): ConfigLine | undefined {
  const trimmed = trim(text);
  if (trimmed === "" || trimmed.startsWith("#")) return undefined;
  // OpenSSH would stop at the NUL, and ignore what a reader sees after it.
  if (trimmed.includes("\0")) throw configError(at, "expected text, got a NUL character");
  const { keyword, rest } = takeKeyword(trimmed, at);
  if (keyword === "") throw configError(at, `expected a keyword, got ${quote(trimmed, 60)}`);
  if (rest === "") throw configError(at, `no argument after keyword ${quote(keyword.toLowerCase(), 60)}`);
  return { ...at, keyword: keyword.toLowerCase(), rest, args: splitArguments(rest, at) };
}

/**
 * Splits the arguments of a line: quotes of both kinds may enclose white space, a backslash precedes a quote, a
 * backslash, or a space outside quotes, and `#` at the start of a word begins a comment.
 *
 * @throws SshError `misuse` if a quote is not closed
 */
export function splitArguments(text: string, at: SshConfigPosition): string[] {
  const args: string[] = [];
  for (let i = 0; i < text.length; i++) {
    if (isBlank(text[i])) continue;
    if (text[i] === "#") break;
    const word = takeWord(text, i);
    if (word === undefined) throw configError(at, "invalid quotes");
    args.push(word.value);
    i = word.end;
  }
  return args;
}

/** Returns a word and the index after it, or `undefined` if a quote is not closed. */
function takeWord(text: string, start: number): { value: string; end: number } | undefined {
  let quoted: string | undefined;
  const parts: string[] = [];
  let i = start;
  for (; i < text.length; i++) {
    const char = text[i] as string;
    const next = text[i + 1];
    if (char === "\\" && (next === "'" || next === '"' || next === "\\" || (next === " " && quoted === undefined))) {
      parts.push(next);
      i++;
    } else if (quoted === undefined && isBlank(char)) break;
    else if (quoted === undefined && (char === '"' || char === "'")) quoted = char;
    else if (char === quoted) quoted = undefined;
    else parts.push(char);
  }
  return quoted === undefined ? { value: parts.join(""), end: i } : undefined;
}

/** `Keyword value`, `Keyword=value`, `Keyword = value`. The keyword may be quoted. */
function takeKeyword(text: string, at: SshConfigPosition): { keyword: string; rest: string } {
  if (text.startsWith('"')) {
    const end = text.indexOf('"', 1);
    if (end < 0) throw configError(at, "invalid quotes");
    return { keyword: text.slice(1, end), rest: trim(text.slice(end + 1)) };
  }
  let end = 0;
  while (end < text.length && text[end] !== "=" && text[end] !== '"' && !space.includes(text[end] as string)) end++;
  const rest = trim(text.slice(end));
  // One equals sign is a separator. A second one belongs to the value.
  return { keyword: text.slice(0, end), rest: rest.startsWith("=") ? trim(rest.slice(1)) : rest };
}

function isBlank(char: string | undefined): boolean {
  return char === " " || char === "\t";
}

/** Removes white space at both ends, in linear time. */
function trim(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && space.includes(text[start] as string)) start++;
  while (end > start && space.includes(text[end - 1] as string)) end--;
  return text.slice(start, end);
}

/** A file name without unprintable characters, and without quotes unless it has to be escaped. */
export function quoteFree(file: string): string {
  return quote(file, 400).slice(1, -1);
}

/** A value in an error, without what a terminal would interpret. */
export function plain(text: string): string {
  return quote(text, 60).slice(1, -1);
}
