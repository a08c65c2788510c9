/** Breaks text into lines. @module */

/** Breaks a paragraph at spaces into lines of at most `width` columns, `margin` included. Longer words stay whole. */
export function wrap(text: string, width: number, margin = ""): string {
  const lines: string[] = [];
  let line = margin;
  for (const word of text.split(/\s+/).filter((one) => one !== "")) {
    if (line !== margin && line.length + 1 + word.length > width) {
      lines.push(line);
      line = margin;
    }
    line += line === margin ? word : ` ${word}`;
  }
  return [...lines, line].join("\n");
}
