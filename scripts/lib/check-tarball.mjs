/** Checks the files and the dependencies of an unpacked package. @module */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { join } from "node:path";
import { root } from "./run.mjs";
import { readSource } from "./source.mjs";

/** Returns the violations. `unpacked` is the folder, and `manifest` its package.json. */
export function checkTarball({ name, unpacked, manifest }) {
  return [...fileViolations(unpacked), ...dependencyViolations(unpacked, manifest)].map((line) => `${name}: ${line}`);
}

function* fileViolations(unpacked) {
  for (const file of ["LICENSE", "README.md", "dist/index.js", "dist/index.d.ts", "src/index.ts"]) {
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
