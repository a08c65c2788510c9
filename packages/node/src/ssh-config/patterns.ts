/** Patterns and pattern-lists of ssh_config(5). @module */
import { matchPattern } from "@postern/keys";

/** OpenSSH compares at most this many characters of one pattern. */
const longestPattern = 1023;

/** Returns whether a comma-separated list matches: at least one pattern does, and no pattern with `!` does. */
export function matchesPatternList(text: string, list: string): boolean {
  return matchesPatterns(text, list.split(","));
}

/** {@link matchesPatternList} without regard to case, for host names. */
export function matchesHostList(host: string, list: string): boolean {
  return matchesPatternList(host.toLowerCase(), list.toLowerCase());
}

/** Returns whether at least one pattern matches, and none that begins with `!`. */
export function matchesPatterns(text: string, patterns: readonly string[]): boolean {
  let found = false;
  for (const pattern of patterns) {
    const isNegated = pattern.startsWith("!");
    const positive = isNegated ? pattern.slice(1) : pattern;
    if (positive.length > longestPattern || !matchPattern(text, positive)) continue;
    if (isNegated) return false;
    found = true;
  }
  return found;
}
