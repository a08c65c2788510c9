/** Patterns of host names, addresses and principals: ssh_config(5), PATTERNS. @module */

/**
 * Whether a text matches a pattern: `*` matches any text, `?` any single character. A pattern of parts may also have
 * functions, which match one character. The work is at most the product of both lengths.
 */
export function matchPattern(
  text: string,
  pattern: string | readonly (string | ((letter: string) => boolean))[],
): boolean {
  let [at, star, resume] = [0, -1, 0];
  for (let i = 0; i < text.length; ) {
    const letter = pattern[at];
    const char = text.charAt(i);
    if (letter === "*") {
      star = at++;
      resume = i;
    } else if (letter === "?" || letter === char || (typeof letter === "function" && letter(char))) {
      at++;
      i++;
    } else if (star >= 0) {
      // Backtrack: the last star matches one more character. An earlier star never needs to.
      at = star + 1;
      i = ++resume;
    } else return false;
  }
  while (pattern[at] === "*") at++;
  return at === pattern.length;
}
