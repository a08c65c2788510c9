/** Patterns of file names in Include, as glob(7). @module */
import { matchPattern } from "@postern/keys";

/** One position of a pattern: any characters, one character, or one of a set. */
type Part = "*" | ((char: string) => boolean);

/** Returns whether `*`, `?`, `[a-z]`, `[!a-z]` and backslashes make the pattern match the whole name. */
export function matchesPathSegment(name: string, pattern: string): boolean {
  return matchPattern(name, parse(pattern));
}

function parse(pattern: string): readonly Part[] {
  const parts: Part[] = [];
  for (let i = 0; i < pattern.length; i++) {
    const char = pattern[i] as string;
    const set = char === "[" ? takeSet(pattern, i) : undefined;
    if (set !== undefined) {
      parts.push(set.part);
      i = set.end;
    } else if (char === "*") parts.push("*");
    else if (char === "?") parts.push(() => true);
    else {
      const literal = char === "\\" && i + 1 < pattern.length ? (pattern[++i] as string) : char;
      parts.push((one) => one === literal);
    }
  }
  return parts;
}

/** A set in brackets, and the index of its end; `undefined` if the bracket is not closed. */
function takeSet(pattern: string, start: number): { readonly part: Part; readonly end: number } | undefined {
  const isNegated = pattern[start + 1] === "!" || pattern[start + 1] === "^";
  const first = isNegated ? start + 2 : start + 1;
  // A bracket in the first place is a member.
  const end = pattern.indexOf("]", first + 1);
  if (end < 0) return undefined;
  const ranges: (readonly [string, string])[] = [];
  for (let i = first; i < end; i++) {
    const from = pattern[i] as string;
    const isRange = pattern[i + 1] === "-" && i + 2 < end;
    ranges.push([from, isRange ? (pattern[i + 2] as string) : from]);
    if (isRange) i += 2;
  }
  return { part: (char) => ranges.some(([from, to]) => from <= char && char <= to) !== isNegated, end };
}
