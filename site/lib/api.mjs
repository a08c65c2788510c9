/**
 * Repairs links of TypeDoc's pages: it numbers headings of the same name, and replaces underscores, in another way than
 * the site does. The check of the built site finds links that are still wrong.
 * @module
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, posix } from "node:path";
import { slug } from "./slug.mjs";

/** Corrects the pages in a folder. Returns the number of links that were corrected. */
export function repairAnchors(folder) {
  const names = readdirSync(folder, { recursive: true })
    .map((name) => name.replaceAll("\\", "/"))
    .filter((name) => name.endsWith(".md"));
  const pages = new Map(names.map((name) => [name, readFileSync(join(folder, name), "utf8")]));
  const anchors = new Map([...pages].map(([name, text]) => [name, anchorsOf(text)]));
  let repaired = 0;
  for (const [name, text] of pages) {
    const changed = text.replaceAll(/\]\(([^)\s#]*)#([^)\s]+)\)/g, (whole, path, anchor) => {
      const known = anchors.get(path === "" ? name : posix.join(posix.dirname(name), path));
      if (known === undefined || known.has(anchor)) return whole;
      const other = [anchor.replaceAll("-", "_"), anchor.replace(/-\d+$/, "")].find((one) => known.has(one));
      if (other === undefined) return whole;
      repaired++;
      return `](${path}#${other})`;
    });
    if (changed !== text) writeFileSync(join(folder, name), changed);
  }
  return repaired;
}

/** The anchors of a page: headings, numbered if they repeat, and explicit ones. */
function anchorsOf(text) {
  const found = new Set([...text.matchAll(/<a id="([^"]+)">/g)].map(([, id]) => id));
  for (const [, heading] of text.matchAll(/^#+ (.*)$/gm)) {
    const anchor = slug(heading.replaceAll("\\", ""));
    let number = 0;
    while (found.has(number === 0 ? anchor : `${anchor}-${number}`)) number++;
    found.add(number === 0 ? anchor : `${anchor}-${number}`);
  }
  return found;
}
