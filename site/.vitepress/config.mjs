/** The generator of the site. `site/build.mjs` writes the pages that it reads. @module */
import { readFileSync } from "node:fs";
import { defineConfig } from "vitepress";
import { slug } from "../lib/slug.mjs";

const { guide, api } = JSON.parse(readFileSync(new URL("../.pages/sidebar.json", import.meta.url), "utf8"));

export default defineConfig({
  title: "Postern",
  description: "SSH in pure TypeScript, built for reverse tunnels",
  lang: "en",
  srcDir: ".pages",
  outDir: "dist",
  /** For a server that keeps the site in a folder, such as `/postern/`. */
  base: process.env.POSTERN_DOCS_BASE ?? "/",
  cleanUrls: false,
  metaChunk: true,
  markdown: {
    theme: { light: "github-light-high-contrast", dark: "github-dark-high-contrast" },
    anchor: { slugify: slug },
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
