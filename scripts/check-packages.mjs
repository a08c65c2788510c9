/**
 * Packs the packages as for publishing, and checks the tarballs: their shape (publint), their types (attw), their
 * files, and that they import exactly their dependencies. Then installs each in a new project from the tarballs alone,
 * and uses it by `import`, by `require()`, in Jest, and by the program of its README.
 * @module
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { join } from "node:path";
import { transform } from "esbuild";
import { claimedOutput, programsOf } from "./lib/code-blocks.mjs";
import { root, run } from "./lib/run.mjs";
import { readSource } from "./lib/source.mjs";
import { installInto, packAll, packFolder } from "./lib/tarballs.mjs";

/** Fails if a package has no exports. */
const count = 'if (Object.keys(all).length === 0) throw new Error("expected exports, got none");';

const wrong = [];
const tarballs = packAll(packFolder);
for (const tarball of tarballs) {
  checkShape(tarball);
  checkFiles(tarball);
  checkDependencies(tarball);
}
for (const { name } of tarballs) checkAlone(name);
await checkTogether();

if (wrong.length > 0) {
  for (const line of wrong) console.error(line);
  console.error(`check-packages: ${wrong.length} violations`);
  process.exit(1);
}
printTable();
console.log(`check-packages: ${tarballs.length} packages`);

function checkShape({ name, file }) {
  if (run("publint", ["run", file, "--strict"], { output: "ignore" }) !== 0) wrong.push(`${name}: publint`);
  // Without --quiet, attw prints a page about each correct package.
  const attw = [file, "--profile", "esm-only", "--format", "ascii"];
  if (run("attw", [...attw, "--quiet"]) !== 0 && run("attw", attw) !== 0) wrong.push(`${name}: attw`);
}

function checkFiles({ name, unpacked }) {
  for (const file of ["LICENSE", "README.md", "dist/index.js", "dist/index.d.ts", "src/index.ts"]) {
    if (!existsSync(join(unpacked, file))) wrong.push(`${name}: expected the file ${file} in the tarball, got none`);
  }
  const license = readFileSync(join(root, "LICENSE"), "utf8");
  if (readFileSync(join(unpacked, "LICENSE"), "utf8") !== license) wrong.push(`${name}: another LICENSE`);
}

/**
 * A package imports its siblings, and contains none of them: a missing import would mean that one is bundled.
 * `@postern/node` is the exception, see docs/decisions/one-file-per-package.md.
 */
function checkDependencies({ name, unpacked, manifest }) {
  const dist = join(unpacked, "dist");
  const imported = new Set();
  for (const file of readdirSync(dist, { recursive: true })) {
    if (!/\.(js|d\.ts)$/.test(file)) continue;
    for (const { specifier } of readSource(dist, file).imports) {
      if (specifier === undefined || /^(\.|node:)/.test(specifier) || builtinModules.includes(specifier)) continue;
      imported.add(specifier.split("/", 2).join("/"));
    }
  }
  const { dependencies = {} } = manifest;
  for (const used of imported) {
    if (!(used in dependencies))
      wrong.push(`${name}: expected ${used} among the dependencies, because dist imports it`);
  }
  for (const [named, range] of Object.entries(dependencies)) {
    const isContained = name === "@postern/node" && named.startsWith("@postern/");
    if (!imported.has(named) && !isContained)
      wrong.push(`${name}: expected an import of its dependency ${named}, got none`);
    const expected = named.startsWith("@postern/") ? `^${manifest.version}` : /^~\d+\.\d+\.\d+$/;
    if (typeof expected === "string" ? range !== expected : !expected.test(range)) {
      wrong.push(`${name}: expected ${named} in the range ${expected}, got ${range}`);
    }
  }
  const maps = readdirSync(dist).filter((file) => file.endsWith(".js.map"));
  for (const file of maps) {
    const foreign = JSON.parse(readFileSync(join(dist, file), "utf8")).sources.find(
      (path) => !/^(\.\.\/)+src\//.test(path),
    );
    if (foreign && name !== "@postern/node") wrong.push(`${name}: ${file} contains ${foreign}, which is not its own`);
  }
}

/** Each package works without the others, except those that it depends on. */
function checkAlone(name) {
  const project = join(packFolder, "alone", name.split("/")[1]);
  installInto(project, [name], tarballs);
  writeFileSync(join(project, "import.mjs"), `import * as all from "${name}";\n${count}`);
  writeFileSync(join(project, "require.cjs"), `const all = require("${name}");\n${count}`);
  for (const program of ["import.mjs", "require.cjs"]) {
    // Node.js 20 and 22 warn that `require()` of an ES module is experimental.
    if (run("node", ["--no-warnings", program], { cwd: project, output: "ignore" }) !== 0) {
      wrong.push(`${name}: ${program} fails in a new project`);
    }
  }
}

/** One project with all packages runs the programs of the README files, their types, and Jest. */
async function checkTogether() {
  const project = join(packFolder, "together");
  const names = tarballs.map(({ name }) => name);
  installInto(project, names, tarballs);
  const programs = [];
  for (const { name, folder, unpacked } of tarballs) {
    const blocks = programsOf(readFileSync(join(unpacked, "README.md"), "utf8"));
    if (blocks.length === 0) wrong.push(`${name}: README.md has no program`);
    for (const { code, line } of blocks) {
      const program = `${folder}-${line}`;
      programs.push(`${program}.mts`);
      writeFileSync(join(project, `${program}.mts`), code);
      const { code: javascript } = await transform(code, { loader: "ts", target: "node20" });
      writeFileSync(join(project, `${program}.mjs`), `${captured(claimedOutput(code))}\n${javascript}\ndone();\n`);
      if (run("node", [`${program}.mjs`], { cwd: project }) !== 0) {
        wrong.push(`${name}: README.md line ${line}: the program fails or prints something else`);
      }
    }
  }
  const compilerOptions = {
    module: "nodenext",
    target: "es2022",
    lib: ["es2023"],
    types: ["node"],
    typeRoots: [join(root, "node_modules", "@types")],
    strict: true,
    noEmit: true,
  };
  writeFileSync(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions, files: programs }));
  if (run("tsc", ["-p", project]) !== 0) wrong.push("the programs of the README files have wrong types");
  checkJest(project, names);
}

/** Jest loads ES modules only with a flag of Node.js; docs/runtimes.md says so. */
function checkJest(project, names) {
  const test = (load) =>
    names.map((name) => `test("${name}", async () => { const all = ${load(name)}; ${count} });\n`).join("");
  writeFileSync(
    join(project, "import.test.js"),
    test((name) => `await import("${name}")`),
  );
  writeFileSync(
    join(project, "esm.test.mjs"),
    `import { test } from "@jest/globals";\n${test((name) => `await import("${name}")`)}`,
  );
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major > 24 || (major === 24 && minor >= 9)) {
    writeFileSync(
      join(project, "require.test.js"),
      test((name) => `require("${name}")`),
    );
  }
  const env = { NODE_OPTIONS: "--experimental-vm-modules --no-warnings" };
  if (run("jest", ["--rootDir", project], { cwd: project, env }) !== 0) {
    wrong.push("Jest cannot load the packages");
  }
}

/** Returns code that fails unless the program prints these lines before `done()`. */
function captured(lines) {
  return `import { format } from "node:util";
const printed = [];
console.log = (...values) => void printed.push(format(...values));
function done() {
  const expected = ${JSON.stringify(lines)};
  if (printed.join("\\n") !== expected.join("\\n")) throw new Error("printed " + JSON.stringify(printed));
}`;
}

function printTable() {
  const rows = tarballs.map(({ name, version, bytes, manifest: { dependencies = {} } }) => {
    const ranges = Object.entries(dependencies).map(([other, range]) => `${other}@${range}`);
    return `${name.padEnd(20)} ${version}  ${`${(bytes / 1000).toFixed(1)} kB`.padStart(9)}  ${ranges.join(", ")}`;
  });
  console.log(rows.join("\n"));
}
