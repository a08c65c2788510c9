/** Comments in JSON. @module */

/**
 * Replaces comments (`// …` and the other form of JavaScript) and commas before a closing bracket by spaces, so that
 * the positions of errors stay.
 */
export function withoutComments(text: string): string {
  const parts = text.match(/"(?:[^"\\\n]|\\.)*"|\/\/[^\n]*|\/\*[\s\S]*?\*\/|[\s\S]/g) ?? [];
  const blank = (part: string): string => part.replace(/[^\n]/g, " ");
  const plain = parts.map((part) => (/^\/[/*]/.test(part) ? blank(part) : part));
  for (const [index, part] of plain.entries()) {
    if (part !== ",") continue;
    let next = index + 1;
    while (next < plain.length && (plain[next] ?? "").trim() === "") next++;
    if (plain[next] === "]" || plain[next] === "}") plain[index] = " ";
  }
  return plain.join("");
}
