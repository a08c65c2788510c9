/**
 * Builds the `dist` of every package, and removes outputs whose source is gone. The compiler writes the declarations,
 * and esbuild one JavaScript file for each entry, because fewer files load faster, or for each module.
 * @module
 */
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { run } from "./lib/run.mjs";
import { thirdPartyLicences } from "./lib/third-party.mjs";

const packages = fileURLToPath(new URL("../packages/", import.meta.url));
const folders = readdirSync(packages).map((name) => join(packages, name));

/**
 * Packages whose modules stay separate files, because browsers load them. Bundlers that split code, such as esbuild,
 * share whole files between chunks: of a single file, each part that a dynamic import needs would be loaded at once.
 */
const separate = ["@postern/noble", "@postern/web"];

/** Modules that are not bundled, because that makes each `const` a `var`, whose value minifiers do not put in place. */
const constants = ["./src/limits.ts"];

for (const folder of folders) tidy(folder);
process.exitCode = run("tsc", ["-b", "tsconfig.build.json"]);
if (process.exitCode === 0) await Promise.all([...folders.map(bundle), ...folders.map(bundleProgram)]);

/**
 * Removes outputs of deleted sources, and makes the compiler write deleted outputs again. It does neither by itself.
 */
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

/** Bundles the entries of a package, or converts its modules. Code that several entries share is a file of its own. */
async function bundle(folder) {
  const { name, exports } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const modules = readdirSync(join(folder, "src"), { recursive: true }).filter((file) => /(?<!\.d)\.ts$/.test(file));
  const entryPoints = separate.includes(name)
    ? modules.map((file) => `./src/${file.replaceAll("\\", "/")}`)
    : Object.values(exports).flatMap((entry) => entry["@postern/source"]?.match(/^.*\.ts$/) ?? []);
  const entries = new Set(entryPoints.map((entry) => join(folder, entry)));
  const dist = join(folder, "dist");
  for (const file of readdirSync(dist, { recursive: true })) if (/\.js(\.map)?$/.test(file)) rmSync(join(dist, file));
  const settings = {
    absWorkingDir: folder,
    outdir: "dist",
    outbase: "src",
    format: "esm",
    target: "es2022",
    platform: "neutral",
    sourcemap: true,
    // The package contains the sources.
    sourcesContent: false,
    logLevel: "warning",
  };
  const plugins = [{ name: "outside", setup: (all) => all.onResolve({ filter: /./ }, outside(name, entries)) }];
  const bundled = { ...settings, bundle: true, splitting: true, conditions: ["@postern/source"], plugins };
  await build({ ...bundled, entryPoints: entryPoints.filter((entry) => !constants.includes(entry)) });
  await build({ ...settings, entryPoints: entryPoints.filter((entry) => constants.includes(entry)) });
}

/**
 * Bundles the program of a package with the packages that it imports, because one file starts faster than fifteen, and
 * an installation downloads one package. Code of single commands is in files of its own.
 */
async function bundleProgram(folder) {
  const { bin } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  if (bin === undefined) return;
  const { metafile } = await build({
    absWorkingDir: folder,
    entryPoints: Object.values(bin).map((file) => file.replace(/^dist\/(.*)\.js$/, "./src/$1.ts")),
    outdir: "dist",
    outbase: "src",
    chunkNames: "parts/[name]-[hash]",
    format: "esm",
    target: "node20",
    platform: "node",
    bundle: true,
    splitting: true,
    conditions: ["@postern/source"],
    metafile: true,
    logLevel: "warning",
  });
  const licences = thirdPartyLicences(folder, Object.keys(metafile.inputs));
  writeFileSync(join(folder, "dist", "THIRD-PARTY-LICENSES.txt"), licences);
}

/** Keeps other packages external, so that each class exists once, whichever packages a program imports. */
function outside(packageName, entries) {
  return ({ path, kind, importer, resolveDir }) => {
    if (kind === "entry-point") return undefined;
    if (!/^\.\.?\//.test(path)) return { path, external: true };
    // An entry that re-exports another entry keeps it external.
    const isFile = separate.includes(packageName) || (entries.has(importer) && entries.has(join(resolveDir, path)));
    return isFile ? { path: path.replace(/\.ts$/, ".js"), external: true } : undefined;
  };
}
