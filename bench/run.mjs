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
rmSync(outdir, { recursive: true, force: true });
await build({
  absWorkingDir: folder,
  entryPoints: ["main", "nodes/main", "targets", "visitors", "link", "micro"].map((name) => `src/${name}.ts`),
  outdir,
  outExtension: { ".js": ".mjs" },
  bundle: true,
  // Measures the code that would be published.
  packages: "external",
  platform: "node",
  target: "node20",
  format: "esm",
  logLevel: "warning",
});
const isFor = (option) => process.argv.some((text) => text === option || text.startsWith(`${option}=`));
const program = isFor("--nodes") ? "nodes/main" : "main";
const { main } = await import(join(outdir, `${program}.mjs`));
try {
  await main(folder);
} catch (error) {
  console.error(`bench: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
