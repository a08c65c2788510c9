/**
 * Builds the explorer as a page of its own, which the tests open: `node site/live/build.mjs <folder>`. The site builds
 * it into its page `protocol-explorer` instead.
 * @module
 */
import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { writeTranscripts } from "../lib/transcripts.mjs";

const here = fileURLToPath(new URL(".", import.meta.url));
const folder = resolve(process.argv[2] ?? join(here, "dist"));
const html = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Protocol explorer</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="explorer.css">
<style>
  body { margin: 0 auto; max-width: 1300px; padding: 16px; background: #fff; font-family: sans-serif; }
  @media (prefers-color-scheme: dark) {
    :root { --vp-c-bg: #1b1b1f; --vp-c-bg-soft: #202127; --vp-c-text-1: #dfdfd6; --vp-c-text-2: #98989f; }
    :root { --vp-c-divider: #3c3f44; --vp-c-brand-1: #7fd1e6; }
    body { background: var(--vp-c-bg); color: var(--vp-c-text-1); }
    a { color: var(--vp-c-brand-1); }
  }
</style>
<main><h1>Protocol explorer</h1><div id="explorer"></div></main>
<script type="module" src="page.js"></script>
</html>
`;
const page = `
import { mountExplorer } from "./explorer.mjs";
document.documentElement.classList.toggle("dark", matchMedia("(prefers-color-scheme: dark)").matches);
mountExplorer(document.querySelector("#explorer"), { transcripts: new URL("transcripts/", location.href) });
`;

mkdirSync(folder, { recursive: true });
writeFileSync(join(folder, "index.html"), html);
cpSync(join(here, "explorer.css"), join(folder, "explorer.css"));
writeTranscripts(join(here, "..", ".."), join(folder, "transcripts"));
await build({
  stdin: { contents: page, resolveDir: here, sourcefile: "page.mjs" },
  outdir: folder,
  entryNames: "page",
  bundle: true,
  splitting: true,
  minify: true,
  format: "esm",
  target: "es2022",
  // The packages of this repository as they are, without building them first.
  conditions: ["@postern/source"],
  logLevel: "warning",
});
