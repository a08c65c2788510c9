/**
 * Builds the `dist` of every package, with nothing in it that has no source any more: declarations by the compiler, and by esbuild one
 * JavaScript file for each entry, for fewer files load faster.
 * @module
 */
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { run } from "./lib/run.mjs";

const packages = fileURLToPath(new URL("../packages/", import.meta.url));
const folders = readdirSync(packages).map((name) => join(packages, name));

for (const folder of folders) tidy(folder);
process.exitCode = run("tsc", ["-b", "tsconfig.build.json"]);
if (process.exitCode === 0) await Promise.all(folders.map(bundle));

/** The compiler neither removes the output of a deleted source nor makes a deleted output again. */
function tidy(folder) {
  const [src, dist] = [join(folder, "src"), join(folder, "dist")];
  if (!existsSync(dist)) return;
  for (const name of readdirSync(dist, { recursive: true })) {
    const [, stem] = /^(.+?)\.d\.ts(\.map)?$/.exec(name) ?? [];
    if (stem !== undefined && !existsSync(join(src, `${stem}.ts`))) rmSync(join(dist, name));
  }
  const stems = readdirSync(src, { recursive: true }).flatMap((name) => /^(.+)(?<!\.d)\.ts$/.exec(name)?.[1] ?? []);
  const whole = stems.every((stem) => existsSync(join(dist, `${stem}.d.ts`)));
  if (!whole) rmSync(join(dist, ".tsbuildinfo"), { force: true });
}

/** What several entries share is a file of its own, so that it exists once. */
async function bundle(folder) {
  const { name, exports } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const entryPoints = Object.values(exports).flatMap((entry) => entry["@postern/source"] ?? []);
  const entries = new Set(entryPoints.map((entry) => join(folder, entry)));
  const dist = join(folder, "dist");
  for (const file of readdirSync(dist, { recursive: true })) if (/\.js(\.map)?$/.test(file)) rmSync(join(dist, file));
  await build({
    entryPoints,
    absWorkingDir: folder,
    outdir: "dist",
    outbase: "src",
    bundle: true,
    splitting: true,
    format: "esm",
    target: "es2022",
    platform: "neutral",
    sourcemap: true,
    // The sources are shipped beside.
    sourcesContent: false,
    conditions: ["@postern/source"],
    plugins: [{ name: "outside", setup: (all) => all.onResolve({ filter: /./ }, outside(name, entries)) }],
    logLevel: "warning",
  });
}

/**
 * What is outside of a package stays outside. But Node.js takes longer to find twelve packages than to run them, so @postern/node has
 * within it what it imports of ours, save for what is loaded late, and the class of errors, which has to be one.
 */
function outside(packageName, entries) {
  return ({ path, kind, importer, resolveDir }) => {
    if (kind === "entry-point") return undefined;
    if (/^\.\.?\//.test(path)) {
      // An entry that exports another one again leaves it at its place, and a bundle of both in order.
      const again = entries.has(importer) && entries.has(join(resolveDir, path));
      return again ? { path: path.replace(/\.ts$/, ".js"), external: true } : undefined;
    }
    const within = packageName === "@postern/node" && /^@postern\/(?!wire$)/.test(path) && kind !== "dynamic-import";
    return within ? undefined : { path, external: true };
  };
}
