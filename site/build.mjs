/**
 * `npm run docs`, after the bootstrap and the build: makes the site in `site/dist`. `--serve` then shows it on
 * loopback, `--port` chooses the port.
 * @module
 */
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { repairAnchors } from "./lib/api.mjs";
import { groups } from "./lib/contents.mjs";
import { titleOf, writePages } from "./lib/pages.mjs";
import { serveFolder } from "./lib/server.mjs";
import { writeTranscripts } from "./lib/transcripts.mjs";

const { values } = parseArgs({ options: { serve: { type: "boolean" }, port: { type: "string", default: "0" } } });
const site = fileURLToPath(new URL(".", import.meta.url));
const root = join(site, "..");
const pages = join(site, ".pages");

rmSync(pages, { recursive: true, force: true });
run("typedoc", ["--options", "typedoc.json", "--logLevel", "Warn", "--treatWarningsAsErrors"]);
repairAnchors(join(pages, "api"));
const written = writePages(root, pages);
writeTranscripts(root, join(pages, "public", "transcripts"));
writeFileSync(join(pages, "sidebar.json"), JSON.stringify(sidebar(written)));
run("vitepress", ["build", "."]);
console.log(
  `docs: ${count(join(site, "dist"), ".html")} pages, ${written.size} of them from Markdown files, in site/dist`,
);
if (values.serve) {
  const { url } = await serveFolder(join(site, "dist"), Number(values.port));
  console.log(`docs: ${url} (Ctrl-C ends it)`);
}

/** @throws Error if a page of `docs` is in no group */
function sidebar(written) {
  const bySource = new Map([...written].map(([page, source]) => [source, page]));
  const listed = new Set(groups.flatMap(({ pages }) => pages));
  const missing = [...bySource.keys()].filter(
    (source) => /^docs\/(?!(?:decisions|audit)\/)/.test(source) && !listed.has(source),
  );
  if (missing.length > 0) throw new Error(`expected each page in site/lib/contents.mjs, got ${missing.join(", ")}`);
  const items = groups.map(({ text, pages }) => ({ text, items: pages.flatMap((source) => item(source)) }));
  const api = JSON.parse(readFileSync(join(pages, "api", "typedoc-sidebar.json"), "utf8"));
  return { guide: [...items, { text: "API reference", link: "/api/" }], api: linked(api) };

  function item(source) {
    const page = bySource.get(source);
    if (page === undefined) throw new Error(`expected a page of ${source}, got none`);
    const text = titleOf(readFileSync(join(root, source), "utf8"));
    const folder = source.endsWith("/README.md") ? source.slice(0, -"README.md".length) : undefined;
    const below = [...bySource.keys()].filter(
      (one) => folder !== undefined && one.startsWith(folder) && one !== source,
    );
    const children = below.map((one) => ({
      text: titleOf(readFileSync(join(root, one), "utf8")),
      link: `/${bySource.get(one)}`,
    }));
    return { text, link: `/${page}`, ...(children.length > 0 && { collapsed: true, items: children }) };
  }
}

/** Replaces groups without a link by their items: the theme puts the button of a group into another button. */
function linked(items) {
  return items.flatMap(({ items: below, ...item }) => {
    if (below === undefined) return [item];
    return item.link === undefined ? linked(below) : [{ ...item, items: linked(below) }];
  });
}

function run(name, args) {
  const { status } = spawnSync(join(site, "node_modules", ".bin", name), args, {
    cwd: site,
    stdio: "inherit",
    shell: process.platform === "win32",
  });
  if (status !== 0) process.exit(status ?? 1);
}

function count(folder, extension) {
  return readdirSync(folder, { recursive: true }).filter((name) => name.endsWith(extension)).length;
}
