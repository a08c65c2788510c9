/**
 * Checks that packages import only from lower floors, that portable packages do not use Node, and that ARCHITECTURE.md
 * shows the same floors.
 * `node scripts/check-floors.mjs [root]`
 * @module
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { join, posix } from "node:path";
import { fileURLToPath } from "node:url";
import { readSource, report, sourcesBelow } from "./lib/source.mjs";

const root = process.argv[2] ?? fileURLToPath(new URL("..", import.meta.url));

/**
 * The floor of each package. `below`: the packages it may import; default: every lower floor. `platform`: it may use
 * `node:` modules and Node's globals. `noble`: it may import `@noble/*`. `dev`: it is never published. `name`: its
 * name, if that is not `@postern/` and the folder. `bundled`: its files contain the packages that it imports, so that
 * it has no dependencies at run time.
 */
const floors = JSON.parse(readFileSync(new URL("./floors.json", import.meta.url), "utf8"));
const noble = ["@noble/ciphers", "@noble/curves", "@noble/hashes", "@noble/post-quantum"];
const builtins = new Set(builtinModules);
const platformGlobals = new Set(["Buffer", "eval", "process", "require", "__dirname", "__filename", "setImmediate"]);
const globalObjects = new Set(["globalThis", "self"]);

/** @type {import("./lib/source.mjs").Violation[]} */
const violations = [];
const folders = existsSync(join(root, "packages")) ? readdirSync(join(root, "packages")).sort() : [];
const manifests = new Map();
for (const folder of folders) {
  const file = `packages/${folder}/package.json`;
  if (!existsSync(join(root, file))) continue;
  const text = readFileSync(join(root, file), "utf8");
  manifests.set(folder, { file, json: JSON.parse(text), lineOf: (word) => lineOf(text, word) });
}

let sources = 0;
for (const [folder, manifest] of manifests) {
  if (!(folder in floors)) {
    add(manifest.file, 1, "unknown-package", `'${folder}' has no floor: add one to scripts/floors.json`);
    continue;
  }
  checkManifest(folder, manifest);
  for (const file of sourcesBelow(root, `packages/${folder}`)) {
    sources++;
    const source = readSource(root, file);
    const shipped = file.startsWith(`packages/${folder}/src/`);
    for (const { specifier, line } of source.imports) checkImport(folder, manifest, file, line, specifier, shipped);
    if (shipped && !floors[folder].platform) checkGlobals(source);
  }
}
// Other folders may import any package, but only by name.
for (const folder of ["integration", "bench", "examples", "test-vectors", "scripts"]) {
  for (const file of sourcesBelow(root, folder)) {
    sources++;
    for (const { specifier, line } of readSource(root, file).imports) checkReach(undefined, file, line, specifier);
  }
}
checkCycles();
checkCircles();
checkVersions();
checkPins();
checkReferences();
checkDocument();
violations.sort((a, b) => (a.file === b.file ? a.line - b.line : a.file < b.file ? -1 : 1));
report("check-floors", violations, `${manifests.size} packages, ${sources} files`);

function checkManifest(folder, { file, json, lineOf }) {
  const expected = floors[folder].name ?? `@postern/${folder}`;
  if (json.name !== expected) add(file, lineOf('"name"'), "name", `expected '${expected}', got '${json.name}'`);
  if (floors[folder].dev && json.private !== true) add(file, 1, "private", `'${folder}' must never be published`);
  for (const kind of ["dependencies", "peerDependencies", "optionalDependencies"]) {
    for (const [name, range] of Object.entries(json[kind] ?? {})) {
      const line = lineOf(`"${name}"`);
      if (kind !== "dependencies") add(file, line, "run-time-dependency", `'${name}' in ${kind}`);
      const other = posternPackage(name);
      if (other !== undefined) {
        checkFloor(folder, other, file, line);
        if (range !== "workspace:^") add(file, line, "pinned", `expected 'workspace:^' for ${name}, got '${range}'`);
      } else if (!noble.includes(name)) {
        add(file, line, "run-time-dependency", `'${name}': only @postern/* and the four @noble packages are shipped`);
      } else {
        checkNoble(folder, name, file, line);
        // A tilde admits patches, which may be security fixes.
        if (!isExact(range.replace(/^~/, "")) || isExact(range)) {
          add(file, line, "pinned", `expected ~ and a version of ${name}, got '${range}'`);
        }
      }
    }
  }
}

function checkImport(folder, { json }, file, line, specifier, shipped) {
  if (specifier === undefined) {
    // The command loads modules that its user names.
    if (shipped && !floors[folder].bundled) add(file, line, "unreadable-import", "an import whose name is computed");
    return;
  }
  if (checkReach(folder, file, line, specifier)) return;
  if (/^\.\.?(\/|$)/.test(specifier)) return;
  if (isBuiltin(specifier)) {
    if (shipped && !floors[folder].platform) add(file, line, "node-module", `'${specifier}' in a portable package`);
    return;
  }
  if (!shipped) return;
  const name = specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/");
  const other = posternPackage(name);
  if (other === folder) return;
  if (other !== undefined) checkFloor(folder, other, file, line);
  else if (noble.includes(name)) checkNoble(folder, name, file, line);
  else {
    add(file, line, "run-time-dependency", `'${name}': only @postern/* and the four @noble packages`);
    return;
  }
  const kind = floors[folder].bundled ? "devDependencies" : "dependencies";
  if (json[kind]?.[name] === undefined) add(file, line, "undeclared", `'${name}' is not in ${kind}`);
}

/** Reports imports of another package's files. */
function checkReach(folder, file, line, specifier) {
  if (specifier === undefined) return false;
  const [, name, subpath] = /^(@postern\/[^/]+)\/(.+)$/.exec(specifier) ?? [];
  if (subpath !== undefined) {
    // Some packages have more than one entry.
    if (manifests.get(posternPackage(name))?.json.exports?.[`./${subpath}`]) return false;
    add(file, line, "reach-in", `'${specifier}' is not an entry of the package`);
    return true;
  }
  if (!/^\.\.?(\/|$)/.test(specifier)) return false;
  const target = posix.join(posix.dirname(file), specifier);
  const inside = folder === undefined ? !target.startsWith("packages/") : target.startsWith(`packages/${folder}/`);
  // Tests may use shared folders such as test-vectors; shipped code may not.
  const common = !/^(\.\.|packages)(\/|$)/.test(target) && !file.startsWith(`packages/${folder}/src/`);
  if (inside || common) return false;
  add(
    file,
    line,
    "reach-in",
    `'${specifier}' leads out of ${folder === undefined ? "its folder" : `packages/${folder}`}`,
  );
  return true;
}

function checkFloor(folder, other, file, line) {
  const [from, to] = [floors[folder], floors[other]];
  if (to === undefined) {
    add(file, line, "floor", `'@postern/${other}' is not a package of this workspace`);
    return;
  }
  if (to.floor < from.floor && (from.below === undefined || from.below.includes(other))) return;
  const why =
    to.floor < from.floor
      ? `may import only ${from.below.join(", ")}`
      : to.floor === from.floor
        ? "but packages on one floor may not import each other"
        : "but imports go down";
  add(file, line, "floor", `'${folder}' (floor ${from.floor}) imports '${other}' (floor ${to.floor}), ${why}`);
}

function checkNoble(folder, name, file, line) {
  if (!floors[folder].noble) add(file, line, "floor", `'${folder}' imports '${name}': only providers do`);
}

function checkGlobals({ file, names, members, nodeTypes }) {
  const rule = "platform-global";
  for (const { name, line } of names) {
    if (platformGlobals.has(name)) add(file, line, rule, `'${name}' in a portable package`);
  }
  for (const { object, property, line } of members) {
    if (globalObjects.has(object) && platformGlobals.has(property)) {
      add(file, line, rule, `'${object}.${property}' in a portable package`);
    }
  }
  for (const { line } of nodeTypes) add(file, line, "node-module", `types of node in a portable package`);
}

function checkCycles() {
  const done = new Set();
  const visit = (folder, path) => {
    const at = path.indexOf(folder);
    if (at >= 0) {
      const { file, lineOf } = manifests.get(path.at(-1));
      add(file, lineOf(`"@postern/${folder}"`), "cycle", [...path.slice(at), folder].join(" -> "));
    }
    if (at >= 0 || done.has(folder)) return;
    for (const name of Object.keys(manifests.get(folder)?.json.dependencies ?? {})) {
      const other = posternPackage(name);
      if (other !== undefined && manifests.has(other)) visit(other, [...path, folder]);
    }
    done.add(folder);
  };
  for (const folder of manifests.keys()) visit(folder, []);
}

/**
 * Finds files of a package that import themselves through others, types included. Reports each circle once, at its
 * first file.
 */
function checkCircles() {
  for (const folder of folders) {
    const files = new Map();
    for (const file of sourcesBelow(root, `packages/${folder}`)) {
      if (!file.startsWith(`packages/${folder}/src/`)) continue;
      const targets = readSource(root, file).imports.filter(({ specifier }) => specifier?.startsWith("."));
      files.set(
        file,
        targets.map(({ specifier }) => posix.join(posix.dirname(file), specifier)),
      );
    }
    const done = new Set();
    const visit = (file, path) => {
      const at = path.indexOf(file);
      if (at >= 0) {
        const names = [...path.slice(at), file].map((one) => posix.basename(one, ".ts"));
        add(file, 1, "circle", names.join(" -> "));
      }
      if (at >= 0 || done.has(file)) return;
      for (const target of files.get(file) ?? []) visit(target, [...path, file]);
      done.add(file);
    };
    for (const file of files.keys()) visit(file, []);
  }
}

/** Requires one version for all packages, and one version of each library. */
function checkVersions() {
  const seen = new Map();
  for (const { file, json, lineOf } of manifests.values()) {
    const versions = [["the version of the packages", json.version, '"version"']];
    for (const kind of ["dependencies", "devDependencies"]) {
      for (const [name, range] of Object.entries(json[kind] ?? {})) {
        if (posternPackage(name) === undefined) versions.push([name, range, `"${name}"`]);
      }
    }
    for (const [what, version, word] of versions) {
      const first = seen.get(what) ?? version;
      seen.set(what, first);
      if (version !== first) add(file, lineOf(word), "one-version", `${what}: expected '${first}', got '${version}'`);
    }
  }
}

/** Requires exact versions of tools. {@link checkManifest} looks at `@noble`. */
function checkPins() {
  for (const file of ["package.json", "integration/package.json", ...[...manifests.values()].map((one) => one.file)]) {
    if (!existsSync(join(root, file))) continue;
    const text = readFileSync(join(root, file), "utf8");
    const { devDependencies = {}, dependencies = {}, private: hidden } = JSON.parse(text);
    for (const [name, range] of Object.entries({ ...devDependencies, ...(hidden ? dependencies : {}) })) {
      // An alias, such as `npm:typescript@5.4.5`, names the package before its version.
      if (isExact(range.replace(/^npm:.+@/, "")) || range.startsWith("workspace:") || noble.includes(name)) continue;
      add(file, lineOf(text, `"${name}"`), "pinned", `expected one exact version of ${name}, got '${range}'`);
    }
  }
}

/** Requires each package in the compiler's references, because others are neither checked nor built. */
function checkReferences() {
  for (const file of ["tsconfig.build.json", "tsconfig.test.json"]) {
    if (!existsSync(join(root, file))) continue;
    const { references } = JSON.parse(readFileSync(join(root, file), "utf8"));
    for (const folder of manifests.keys()) {
      if (references.some(({ path }) => path === `packages/${folder}`)) continue;
      add(file, 1, "reference", `'packages/${folder}' is not among the references`);
    }
  }
}

/** The table in ARCHITECTURE.md is this one. */
function checkDocument() {
  const file = "ARCHITECTURE.md";
  if (!existsSync(join(root, file))) return;
  const text = readFileSync(join(root, file), "utf8");
  const rows = [...manifests.keys()]
    .filter((folder) => floors[folder] !== undefined && !floors[folder].dev)
    .map((folder) => `| ${floors[folder].floor} | \`${folder}\` | ${floors[folder].job} |`);
  for (const row of rows)
    if (!text.includes(row)) add(file, lineOf(text, "| floor |"), "table", `expected the row ${row}`);
}

function posternPackage(name) {
  return /^@postern\/([^/]+)$/.exec(name)?.[1];
}

function isBuiltin(specifier) {
  return specifier.startsWith("node:") || builtins.has(specifier);
}

function isExact(range) {
  // An alias names another package, as exactly.
  return /^(npm:(@[\w-]+\/)?[\w-]+@)?\d+\.\d+\.\d+(-[\w.]+)?$/.test(range);
}

function lineOf(text, word) {
  const at = text.indexOf(word);
  return at < 0 ? 1 : text.slice(0, at).split("\n").length;
}

function add(file, line, rule, text) {
  if (!violations.some((one) => one.file === file && one.line === line && one.rule === rule && one.text === text)) {
    violations.push({ file, line, rule, text });
  }
}
