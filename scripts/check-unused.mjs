/**
 * Finds code that nothing uses (knip) and code that only tests use: source files that no entry reaches, exported values
 * that no shipped code uses, and exports of a package's entry that no other package imports. Knip does not see the
 * last two, because tests are users and every export of an entry counts as used.
 * @module
 */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { root, run } from "./lib/run.mjs";
import { parse, sourcesBelow } from "./lib/source.mjs";

/** Packages for programs: each export of their entries counts as used. */
const platforms = ["node", "web", "cli"];

/** Exports for programs that build on one layer directly, by package, with the reason. No shipped code uses them. */
const publicNames = JSON.parse(readFileSync(join(root, "scripts/public-names.json"), "utf8"));

const packages = readdirSync(join(root, "packages")).filter((name) => name !== "testkit");
/** Sources of the programs, which nothing imports. */
const programs = new Set(
  packages.flatMap((name) => {
    const { bin = {} } = JSON.parse(readFileSync(join(root, "packages", name, "package.json"), "utf8"));
    return Object.values(bin).map((file) => `packages/${name}/${file.replace(/^dist\/(.*)\.js$/, "src/$1.ts")}`);
  }),
);
const entryOf = (name) => `packages/${name}/src/index.ts`;
/** By file: the names that other files import from it (`*` for all), and the parsed file. */
const files = new Map(
  packages
    .flatMap((name) => sourcesBelow(root, `packages/${name}/src`))
    .map((file) => [file, { imported: new Set(), program: parse(root, file).program }]),
);
for (const [file, { program }] of files) noteImports(file, program);

const findings = packages.flatMap((name) => {
  const publicOnes = new Set(Object.keys(publicNames[name] ?? {}));
  const exported = valuesOf(entryOf(name));
  const used = files.get(entryOf(name)).imported;
  const entry = platforms.includes(name)
    ? []
    : exported
        .filter((value) => !used.has(value) && !used.has("*") && !publicOnes.has(value))
        .map((value) => `${entryOf(name)}: no other package imports ${value}`);
  const absent = [...publicOnes]
    .filter((value) => !exported.includes(value))
    .map((value) => `scripts/public-names.json: @postern/${name} does not export ${value}`);
  return [...entry, ...absent];
});
for (const [file, { imported, program }] of files) {
  if (file.endsWith("/src/index.ts") || programs.has(file)) continue;
  if (imported.size === 0) findings.push(`${file}: no shipped file imports it`);
  for (const value of declaredValues(program)) {
    if (!imported.has(value) && !imported.has("*") && uses(program, value) < 2) {
      findings.push(`${file}: no shipped code uses ${value}`);
    }
  }
}

const knip = run("knip", ["--no-progress"]);
for (const finding of findings) console.error(finding);
console.log(`check-unused: ${files.size} files, ${findings.length} that only tests use`);
process.exitCode = knip !== 0 || findings.length > 0 ? 1 : 0;

function noteImports(file, program) {
  visit(program, (node) => {
    if (typeof node.source?.value !== "string") return;
    const target = resolve(file, node.source.value);
    if (target === undefined) return;
    const { imported: names } = files.get(target);
    if (node.type === "ImportExpression" || node.type === "ExportAllDeclaration") names.add("*");
    for (const { type, imported, local } of node.specifiers ?? []) {
      names.add(type === "ImportNamespaceSpecifier" ? "*" : (imported ?? local).name);
    }
    // An import for its effects.
    if (node.specifiers?.length === 0) names.add("*");
  });
}

/** The file in `packages` that an import leads to. */
function resolve(file, specifier) {
  const [, name, entry = "index"] = /^@postern\/([^/]+)(?:\/([^/]+))?$/.exec(specifier) ?? [];
  const target = name === undefined ? posix.join(dirname(file), specifier) : `packages/${name}/src/${entry}.ts`;
  return files.has(target) ? target : undefined;
}

/** The values (not types) that an entry exports. */
function valuesOf(file) {
  const { program } = files.get(file);
  return [
    ...declaredValues(program),
    ...program.body
      .filter(({ exportKind }) => exportKind !== "type")
      .flatMap((node) => {
        if (node.type === "ExportAllDeclaration") {
          const target = resolve(file, node.source.value);
          return target === undefined ? [] : valuesOf(target);
        }
        return (node.specifiers ?? [])
          .filter(({ type, exportKind }) => type === "ExportSpecifier" && exportKind !== "type")
          .map(({ exported }) => exported.name);
      }),
  ];
}

function declaredValues(program) {
  return program.body
    .filter(
      ({ type, declaration }) => type === "ExportNamedDeclaration" && declaration && !declaration.type.startsWith("TS"),
    )
    .flatMap(({ declaration }) => declaration.declarations ?? [declaration])
    .map(({ id }) => id.name);
}

function uses(program, name) {
  let count = 0;
  visit(program, (node) => {
    if (node.type === "Identifier" && node.name === name) count++;
  });
  return count;
}

function visit(node, see) {
  if (typeof node !== "object" || node === null) return;
  if (typeof node.type === "string") see(node);
  for (const child of Object.values(node)) visit(child, see);
}
