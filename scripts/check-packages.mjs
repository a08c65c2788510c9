/**
 * Packs the packages as for publishing, and checks the tarballs: their shape (publint), their types (attw), their
 * files, and that they import exactly their dependencies. Then installs each in a new project from the tarballs alone,
 * and uses it by `import`, by `require()`, in Jest, and by the program of its README. No class may exist twice.
 * @module
 */
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { transform } from "esbuild";
import { checkTarball } from "./lib/check-tarball.mjs";
import { claimedOutput, programsOf } from "./lib/code-blocks.mjs";
import { root, run } from "./lib/run.mjs";
import { installInto, packAll, packFolder } from "./lib/tarballs.mjs";

/** Fails if a package has no exports. */
const count = 'if (Object.keys(all).length === 0) throw new Error("expected exports, got none");';

const wrong = [];
const tarballs = packAll(packFolder);
for (const tarball of tarballs) {
  checkShape(tarball);
  wrong.push(...checkTarball(tarball));
}
for (const tarball of tarballs) checkAlone(tarball);
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

/** Each package works without the others, except those that it depends on. */
function checkAlone({ name, folder, bundled, manifest }) {
  const project = join(packFolder, "alone", folder);
  installInto(project, [name], tarballs);
  if (bundled) checkProgram(project, name, manifest);
  writeFileSync(join(project, "import.mjs"), `import * as all from "${name}";\n${bundled ? "" : count}`);
  writeFileSync(join(project, "require.cjs"), `const all = require("${name}");\n${bundled ? "" : count}`);
  for (const program of ["import.mjs", "require.cjs"]) {
    // Node.js 20 and 22 warn that `require()` of an ES module is experimental.
    if (run("node", ["--no-warnings", program], { cwd: project, output: "ignore" }) !== 0) {
      wrong.push(`${name}: ${program} fails in a new project`);
    }
  }
}

/** The program of a package runs from its tarball, which is all that is installed. */
function checkProgram(project, name, { bin, version }) {
  const others = readdirSync(join(project, "node_modules")).filter((one) => !one.startsWith(".") && one !== name);
  if (others.length > 0) wrong.push(`${name}: expected to be installed alone, got ${others.join(", ")}`);
  for (const program of Object.keys(bin)) {
    const shown = (...args) => {
      const { status, stdout, stderr } = spawnSync("npx", ["--no", "--", program, ...args], {
        cwd: project,
        encoding: "utf8",
      });
      if (status !== 0) wrong.push(`${name}: ${program} ${args.join(" ")} exits with ${status}: ${stderr}`);
      return stdout + stderr;
    };
    if (!shown("-V").includes(`_${version},`)) wrong.push(`${name}: ${program} -V does not print ${version}`);
    if (!shown("--help").startsWith(`Usage: ${program} `)) wrong.push(`${name}: ${program} --help prints no usage`);
    const page = readFileSync(join(project, "node_modules", name, "man", `${program}.1`), "utf8");
    if (shown("man") !== page) wrong.push(`${name}: ${program} man prints another page than the one in the tarball`);
  }
}

/** One project with all packages runs the programs of the README files, their types, and Jest. */
async function checkTogether() {
  const project = join(packFolder, "together");
  const names = tarballs.map(({ name }) => name);
  installInto(project, names, tarballs);
  const programs = [];
  for (const { name, folder, unpacked, bundled } of tarballs) {
    if (bundled) continue;
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
  const libraries = tarballs.filter(({ bundled }) => !bundled).map(({ name }) => name);
  checkClasses(project, libraries);
  checkJest(project, libraries);
}

/**
 * A class that several packages export is one class, or each is a subclass of one, such as ReverseTunnel of node and
 * of web. Otherwise `instanceof SshError` depends on the package that the program imports.
 */
function checkClasses(project, names) {
  const program = `
    const classes = new Map();
    for (const name of ${JSON.stringify(names)}) {
      for (const [key, value] of Object.entries(await import(name))) {
        if (!/^class\\b/.test(String(value))) continue;
        classes.set(key, [...(classes.get(key) ?? []), value]);
      }
    }
    const isOne = (found) => found.some((base) => found.every((one) => one === base || one.prototype instanceof base));
    const copied = [...classes].filter(([, found]) => !isOne(found)).map(([key]) => key);
    if (copied.length > 0) throw new Error("expected one class, got copies: " + copied.join(", "));
    if (classes.get("SshError").length < 3) throw new Error("expected SshError of several packages");`;
  writeFileSync(join(project, "classes.mjs"), program);
  if (run("node", ["classes.mjs"], { cwd: project }) !== 0) wrong.push("a class exists more than once");
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
  console.log(`${"package".padEnd(20)}   tarball  files  unpacked  dependencies`);
  for (const { name, bytes, unpacked, manifest } of tarballs) {
    const sizes = readdirSync(unpacked, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => statSync(join(entry.parentPath, entry.name)).size);
    const whole = sizes.reduce((sum, size) => sum + size, 0);
    const ranges = Object.entries(manifest.dependencies ?? {}).map(([other, range]) => `${other}@${range}`);
    const columns = [name.padEnd(20), kB(bytes), String(sizes.length).padStart(5), kB(whole), ranges.join(", ")];
    console.log(columns.join("  "));
  }
}

function kB(bytes) {
  return `${(bytes / 1000).toFixed(1)} kB`.padStart(8);
}
