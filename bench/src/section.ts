/** A section of a page in Markdown. @module */
import { readFileSync, writeFileSync } from "node:fs";

/** Replaces the text of the section of the second level with that heading. Without one, adds it at the end. */
export function replaceSection(file: string, heading: string, text: string): void {
  const [before = "", rest = ""] = readFileSync(file, "utf8").split(`\n## ${heading}\n`);
  const next = rest.search(/^## /m);
  const after = next === -1 ? "" : `\n${rest.slice(next)}`;
  writeFileSync(file, `${before.trimEnd()}\n\n## ${heading}\n\n${text}\n${after}`);
}
