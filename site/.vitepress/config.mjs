/** The generator of the site. `site/build.mjs` writes the pages that it reads. @module */
import { readFileSync } from "node:fs";
import { defineConfig } from "vitepress";
import { slug } from "../lib/slug.mjs";

const { guide, api } = JSON.parse(readFileSync(new URL("../.pages/sidebar.json", import.meta.url), "utf8"));

/** A gate in a wall. As data, so that no page asks for another file. */
const icon =
  "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'><path fill='%230b5a6f' d='M1 15V5a7 4 0 0 1 14 0v10h-4V9a3 3 0 0 0-6 0v6z'/></svg>";

export default defineConfig({
  title: "Postern",
  description: "SSH in pure TypeScript, built for reverse tunnels",
  lang: "en",
  srcDir: ".pages",
  outDir: "dist",
  /** For a server that keeps the site in a folder, such as `/postern/`. */
  base: process.env.POSTERN_DOCS_BASE ?? "/",
  head: [["link", { rel: "icon", type: "image/svg+xml", href: `data:image/svg+xml,${icon}` }]],
  cleanUrls: false,
  metaChunk: true,
  markdown: {
    theme: { light: "github-light-high-contrast", dark: "github-dark-high-contrast" },
    anchor: { slugify: slug },
    config(markdown) {
      markdown.core.ruler.push("columns", nameColumns);
    },
  },
  vite: {
    build: { chunkSizeWarningLimit: 4096 },
    // The explorer is built from the sources, as the tests run it.
    resolve: { conditions: ["@postern/source"] },
  },
  themeConfig: {
    nav: [
      { text: "Guide", link: "/getting-started" },
      { text: "Errors", link: "/errors" },
      { text: "Options", link: "/options" },
      { text: "API", link: "/api/" },
      { text: "Explorer", link: "/protocol-explorer" },
    ],
    sidebar: { "/api/": [{ text: "API reference", items: api }], "/": guide },
    outline: { level: [2, 3] },
    search: {
      provider: "local",
      options: { translations: { button: { buttonText: "Search", buttonAriaLabel: "Search" } } },
    },
    externalLinkIcon: false,
    footer: { message: "MIT License" },
  },
});

/** Each cell of a table has the name of its column, which narrow screens show. */
function nameColumns({ tokens }) {
  let names = [];
  let column = 0;
  for (const [index, token] of tokens.entries()) {
    if (token.type === "table_open") names = [];
    else if (token.type === "tr_open") column = 0;
    else if (token.type === "th_open") names.push(tokens[index + 1].content.replaceAll("`", ""));
    else if (token.type === "td_open") token.attrSet("data-column", names[column++] ?? "");
  }
}
