/** How many columns a text takes on a terminal. @module */

/** Characters of two columns: East Asian wide and fullwidth ones, and emoji (Unicode Standard Annex 11). */
const wide =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1f64f}\u{1f680}-\u{1f6ff}\u{1f900}-\u{1f9ff}\u{20000}-\u{3fffd}]/u;
/** Characters of no column: they combine with the one before. */
const combining = /[\p{Mn}\p{Me}\p{Cf}]/u;

/** Returns the columns of one character, a code point. */
export function columnsOf(char: string): number {
  if (combining.test(char)) return 0;
  return wide.test(char) ? 2 : 1;
}

/** Cuts a text that is wider than `columns`. Its last character is then `…`. */
export function fitColumns(text: string, columns: number): string {
  let used = 0;
  let fits = "";
  for (const char of text) {
    used += columnsOf(char);
    if (used > columns) return columns > 0 ? `${fits}…` : "";
    if (used <= columns - 1) fits += char;
  }
  return text;
}
