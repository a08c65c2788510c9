/** Splits a line of sshd_config(5) into keyword and arguments, as sshd does. @module */
import { BadLineError } from "./config-error.ts";

/** A line that holds a keyword. */
export interface SshdConfigLine {
  /** the file, or `command-line` */
  readonly file: string;
  /** from 1; 0 for the command line */
  readonly line: number;
  /** as it is written */
  readonly keyword: string;
  /** the arguments without quotes, up to a comment */
  readonly args: readonly string[];
  /** all after the keyword, as it is written */
  readonly rest: string;
}

/** Returns `undefined` for an empty line or a comment. @throws BadLineError as sshd reports it */
export function readLine(text: string, file: string, line: number): SshdConfigLine | undefined {
  const trimmed = text.replace(/^[ \t\r\n]+|[ \t\r\n\f]+$/g, "");
  if (trimmed === "" || trimmed.startsWith("#")) return undefined;
  const [whole, quoted, plain = ""] = /^(?:"([^"]*)"|([^\s="]+))[ \t]*=?[ \t]*/.exec(trimmed) ?? [];
  const keyword = quoted ?? plain;
  if (whole === undefined || keyword === "")
    throw new BadLineError(`${file}: line ${line}: Bad configuration option: `);
  const rest = trimmed.slice(whole.length);
  if (rest === "") throw new BadLineError(`${file} line ${line}: no argument after keyword "${keyword}"`);
  const args = splitArguments(rest);
  if (args === undefined) throw new BadLineError(`${file} line ${line}: invalid quotes`);
  return { file, line, keyword, args, rest };
}

/** Returns the words of a text, or `undefined` if a quote is open at its end. `#` before a word begins a comment. */
export function splitArguments(text: string): readonly string[] | undefined {
  const words: string[] = [];
  let word: string | undefined;
  let quote = "";
  for (let i = 0; i < text.length; i++) {
    const char = text[i] as string;
    const next = text[i + 1] ?? "";
    const escapes = char === "\\" && (`'"\\`.includes(next) || (next === " " && quote === "")) && next !== "";
    if (escapes) {
      word = (word ?? "") + next;
      i++;
    } else if (quote !== "") {
      if (char === quote) quote = "";
      else word += char;
    } else if (char === " " || char === "\t") {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if (char === "#" && word === undefined) break;
    else if (char === '"' || char === "'") {
      quote = char;
      word ??= "";
    } else word = (word ?? "") + char;
  }
  if (quote !== "") return undefined;
  if (word !== undefined) words.push(word);
  return words;
}
