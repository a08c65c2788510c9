/** Checks the links, anchors and resources of built pages. @module */
import { readdirSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { find } from "./server.mjs";

/** Files that a browser loads with a page. */
const loaded = /<(script|img|link|source|iframe|video|audio)\b[^>]*?\s(?:src|href)="([^"]*)"/g;

/** Checks the pages of a folder. Returns the problems, and how many links and resources there are. */
export function checkHtml(dist, names) {
  const problems = [];
  const ids = new Map();
  let links = 0;
  let resources = 0;
  for (const name of names) {
    const text = readFileSync(join(dist, name), "utf8");
    for (const [, tag, url] of text.matchAll(loaded)) {
      resources++;
      checkTarget(name, url, tag);
    }
    for (const [, href] of text.matchAll(/<a\b[^>]*?\shref="([^"]*)"/g)) {
      links++;
      checkTarget(name, href, "a");
    }
  }
  for (const { file, text } of stylesheets(dist)) {
    const others = [...text.matchAll(/(?:url\(|@import\s+)["']?(?:[a-z]+:)?\/\/[^"')]*/g)].map(([whole]) => whole);
    for (const other of others) problems.push(`${String(file)}: expected no other server, got ${other}`);
  }
  return { problems, links, resources };

  function checkTarget(name, target, tag) {
    const value = target.replaceAll("&amp;", "&");
    if (/^(data:|mailto:)/.test(value)) return;
    if (/^([a-z]+:)?\/\//.test(value)) {
      if (tag !== "a") problems.push(`${name}: expected <${tag}> to load from the site, got ${value}`);
      return;
    }
    const [path, anchor] = value.split("#");
    const to =
      path === "" ? name : decodeURIComponent(posix.join("/", path.startsWith("/") ? "" : posix.dirname(name), path));
    const file = find(dist, to);
    if (file === undefined) problems.push(`${name}: expected a page or file, got the link ${value}`);
    else if (anchor && !idsOf(file).has(decodeURIComponent(anchor)))
      problems.push(`${name}: expected an anchor, got the link ${value}`);
  }

  function idsOf(file) {
    let known = ids.get(file);
    if (known === undefined) {
      known = new Set([...readFileSync(file, "utf8").matchAll(/\sid="([^"]*)"/g)].map(([, id]) => id));
      ids.set(file, known);
    }
    return known;
  }
}

function stylesheets(dist) {
  const names = readdirSync(dist, { recursive: true }).filter((name) => name.endsWith(".css"));
  return names.map((file) => ({ file, text: readFileSync(join(dist, file), "utf8") }));
}
