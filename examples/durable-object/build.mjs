/**
 * Builds one module with the worker and all that it imports: `node build.mjs [file]`. Default: `dist/worker.mjs`. Also
 * creates the folder `storage`, for workerd.
 * @module
 */
import { mkdirSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const outfile = resolve(process.argv[2] ?? join(here, "dist", "worker.mjs"));

mkdirSync(join(here, "storage"), { recursive: true });
await build({
  entryPoints: [join(here, "src", "worker.mjs")],
  outfile,
  bundle: true,
  format: "esm",
  target: "es2022",
  // The packages of this repository as they are, without building them first.
  conditions: ["@postern/source", "workerd", "worker"],
  external: ["cloudflare:*"],
  logLevel: "warning",
});
console.log(`worker: ${outfile}`);
