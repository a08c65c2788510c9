/**
 * Builds the page: `node build.mjs [folder]`. The folder (default: `dist`) contains index.html and page.js.
 * Put them on any web server, or open index.html from the disk.
 * @module
 */
import { cpSync, mkdirSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const folder = resolve(process.argv[2] ?? join(here, "dist"));

mkdirSync(folder, { recursive: true });
cpSync(join(here, "src", "index.html"), join(folder, "index.html"));
await build({
  entryPoints: [join(here, "src", "page.mjs")],
  outfile: join(folder, "page.js"),
  bundle: true,
  minify: true,
  // A classic script, because browsers do not load modules from the disk.
  format: "iife",
  target: "es2022",
  // The packages of this repository as they are, without building them first.
  conditions: ["@postern/source"],
  logLevel: "warning",
});
console.log(`page: ${join(folder, "index.html")}`);
