/** Patterns and pattern-lists of ssh_config(5). @module */

/** OpenSSH compares at most this many characters of one pattern. */
const longestPattern = 1023;

/**
 * Returns whether `*` (any characters) and `?` (one character) make the pattern match the whole text. Each `*` is
 * retried only until the next one matches, so that the work is at most the product of both lengths.
 */
export function matchesPattern(text: string, pattern: string): boolean {
  let at = 0;
  let i = 0;
  let star = -1;
  let retry = 0;
  while (at < text.length) {
    if (pattern[i] === "*") {
      star = i++;
      retry = at;
    } else if (i < pattern.length && (pattern[i] === "?" || pattern[i] === text[at])) {
      i++;
      at++;
    } else if (star >= 0) {
      i = star + 1;
      at = ++retry;
    } else return false;
  }
  while (pattern[i] === "*") i++;
  return i === pattern.length;
}

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
    if (positive.length > longestPattern || !matchesPattern(text, positive)) continue;
    if (isNegated) return false;
    found = true;
  }
  return found;
}
