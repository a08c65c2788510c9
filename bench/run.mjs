/**
 * `npm run bench`: bundles src/ to JavaScript and runs it, with helpers in separate processes. See README.md.
 * @module
 */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const folder = fileURLToPath(new URL(".", import.meta.url));
const outdir = join(folder, "node_modules", ".cache", "postern-bench", "programs");
// Its imports are those of the tests.
const runtimes = join(folder, "..", "integration", "node_modules", ".cache", "postern-bench");
for (const one of [outdir, runtimes]) rmSync(one, { recursive: true, force: true });
const common = {
  absWorkingDir: folder,
  outExtension: { ".js": ".mjs" },
  bundle: true,
  // Measures the code that would be published.
  packages: "external",
  platform: "node",
  target: "node20",
  format: "esm",
  logLevel: "warning",
};
await build({
  ...common,
  entryPoints: ["main", "nodes/main", "targets", "visitors", "link", "micro", "host/driver"].map(
    (name) => `src/${name}.ts`,
  ),
  outdir,
});
const isFor = (option) => process.argv.some((text) => text === option || text.startsWith(`${option}=`));
const onlyRuntimes = process.argv.some((text) => text.split(/[=,]/).includes("runtimes"));
if (onlyRuntimes) await build({ ...common, entryPoints: ["src/runtimes/main.ts"], outdir: runtimes });
const program = onlyRuntimes ? join(runtimes, "main.mjs") : join(outdir, isFor("--nodes") ? "nodes" : "", "main.mjs");
const { main } = await import(program);
try {
  await main(folder, outdir);
} catch (error) {
  console.error(`bench: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
