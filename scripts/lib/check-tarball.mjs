/** Checks the files and the dependencies of an unpacked package. @module */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { dirname, join } from "node:path";
import { root } from "./run.mjs";
import { readSource } from "./source.mjs";

/**
 * Returns the violations. `unpacked` is the folder, and `manifest` its package.json. `bundled`: it contains the code of
 * the packages that it imports.
 */
export function checkTarball({ name, unpacked, manifest, bundled = false }) {
  const files = fileViolations(unpacked, bundled ? bundleFiles : libraryFiles);
  const more = bundled ? bundleViolations(unpacked, manifest) : dependencyViolations(unpacked, manifest);
  return [...files, ...more].map((line) => `${name}: ${line}`);
}

const commonFiles = ["LICENSE", "README.md", "dist/index.js", "dist/index.d.ts"];
const libraryFiles = [...commonFiles, "src/index.ts"];
const bundleFiles = [...commonFiles, "dist/THIRD-PARTY-LICENSES.txt"];

function* fileViolations(unpacked, files) {
  for (const file of files) {
    if (!existsSync(join(unpacked, file))) yield `expected the file ${file} in the tarball, got none`;
    else if (file === "LICENSE" && textOf(unpacked, file) !== textOf(root, file))
      yield "expected our LICENSE, got another";
  }
}

/** A package imports its siblings, and contains none of them: a missing import would mean that one is bundled. */
function* dependencyViolations(unpacked, { version, dependencies = {} }) {
  const imported = new Set();
  const dist = join(unpacked, "dist");
  for (const file of existsSync(dist) ? readdirSync(dist, { recursive: true, encoding: "utf8" }) : []) {
    if (/\.(js|d\.ts)$/.test(file)) for (const used of importsOf(dist, file)) imported.add(used);
    if (!file.endsWith(".js.map")) continue;
    const { sources } = JSON.parse(String(textOf(dist, file)));
    const foreign = sources.find((path) => !/^(\.\.\/)+src\//.test(path));
    if (foreign) yield `${String(file)} contains ${String(foreign)}, which is not its own`;
  }
  for (const used of imported) {
    if (!(used in dependencies)) yield `expected ${used} among the dependencies, because dist imports it`;
  }
  for (const [named, range] of Object.entries(dependencies)) {
    if (!imported.has(named)) yield `expected an import of its dependency ${named}, got none`;
    const isSibling = named.startsWith("@postern/");
    if (isSibling && range !== `^${version}`) yield `expected ${named} in the range ^${version}, got ${range}`;
    if (!isSibling && !/^~\d+\.\d+\.\d+$/.test(range))
      yield `expected ${named} in a range such as ~1.2.3, got ${range}`;
  }
}

/** A bundle has no dependencies, imports only its own files, and does not name the machine that made it. */
function* bundleViolations(unpacked, { dependencies = {}, bin = {}, man = [] }) {
  for (const named of Object.keys(dependencies)) yield `expected no dependencies, got ${named}`;
  for (const file of [...Object.values(bin), man].flat()) {
    if (!existsSync(join(unpacked, file))) yield `expected the file ${file} in the tarball, got none`;
  }
  const dist = join(unpacked, "dist");
  for (const file of existsSync(dist) ? readdirSync(dist, { recursive: true, encoding: "utf8" }) : []) {
    if (file.endsWith(".map")) yield `expected no source maps, because the sources are not in the tarball, got ${file}`;
    if (!/\.(js|d\.ts)$/.test(file)) continue;
    const text = textOf(dist, file);
    if (text.includes(root)) yield `${file} contains the path of the workspace`;
    for (const used of importsOf(dist, file)) yield `${file} imports ${used}, which is not installed`;
    for (const { specifier } of readSource(dist, file).imports) {
      if (specifier === undefined || !specifier.startsWith(".")) continue;
      const target = join(dist, dirname(file), specifier);
      const isThere = existsSync(file.endsWith(".d.ts") ? target.replace(/(\.d)?\.[jt]s$/, ".d.ts") : target);
      if (!isThere) yield `${file} imports ${specifier}, which is not in the tarball`;
    }
  }
}

/** Returns the packages that a file imports. */
function importsOf(dist, file) {
  return readSource(dist, file).imports.flatMap(({ specifier }) =>
    specifier === undefined || /^(\.|node:)/.test(specifier) || builtinModules.includes(specifier)
      ? []
      : [specifier.split("/", 2).join("/")],
  );
}

function textOf(...path) {
  return readFileSync(join(...path), "utf8");
}
