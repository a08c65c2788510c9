/**
 * Type-checks small programs against the built packages, as a consumer would, with `skipLibCheck: false`: each version
 * of TypeScript with each source of the platform's types, and each of both with each module resolution. `--all` checks
 * the whole product; `typescript=5.4`, `types=node20` and `resolution=bundler` narrow it. `npm run check:consumers`
 * needs the build.
 * @module
 */
import { spawn } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { availableParallelism } from "node:os";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { root } from "./lib/run.mjs";

const compilers = [
  { version: "5.4", manifest: import.meta.resolve("typescript-5.4/package.json") },
  { version: "5.9", manifest: import.meta.resolve("typescript-5.9/package.json") },
  { version: "6.0", manifest: import.meta.resolve("typescript-6.0/package.json") },
  { version: "7.0", manifest: import.meta.resolve("typescript/package.json") },
];

const web = { name: "web", file: new URL("./consumers/web.ts", import.meta.url) };
const node = { name: "node", file: new URL("./consumers/node.ts", import.meta.url) };

/** Type libraries that declare a consumer's globals. `@types/node` states the oldest TypeScript that it supports. */
const environments = [
  { types: "dom", lib: ["ES2022", "DOM"], programs: [web] },
  { types: "webworker", lib: ["ES2022", "WebWorker"], programs: [web] },
  { types: "node20", lib: ["ES2022"], node: import.meta.resolve("@types/node/package.json"), programs: [web, node] },
  { types: "node22", lib: ["ES2022"], node: import.meta.resolve("types-node-22/package.json"), programs: [web, node] },
  { types: "node24", lib: ["ES2022"], node: import.meta.resolve("types-node-24/package.json"), programs: [web, node] },
  { types: "node26", lib: ["ES2022"], node: import.meta.resolve("types-node-26/package.json"), programs: [web, node] },
  {
    types: "node24+dom",
    lib: ["ES2022", "DOM"],
    node: import.meta.resolve("types-node-24/package.json"),
    programs: [web, node],
  },
];

const resolutions = [
  { module: "node16", moduleResolution: "node16" },
  { module: "nodenext", moduleResolution: "nodenext" },
  { module: "es2022", moduleResolution: "bundler" },
];

if (!existsSync(join(root, "packages", "node", "dist", "index.d.ts")))
  fail("the packages are not built: npm run build");
const args = process.argv.slice(2);
const wanted = Object.fromEntries(args.filter((word) => word.includes("=")).map((word) => word.split("=")));
const isWhole = args.length > 0;
const work = join(root, ".pack", "consumers");
rmSync(work, { recursive: true, force: true });

const jobs = [];
for (const [row, environment] of environments.entries()) {
  for (const [column, compiler] of compilers.entries()) {
    if (!supports(compiler, environment)) continue;
    for (const [diagonal, resolution] of resolutions.entries()) {
      if (!isWhole && (row + column) % resolutions.length !== diagonal) continue;
      if ((wanted.typescript ?? compiler.version) !== compiler.version) continue;
      if ((wanted.types ?? environment.types) !== environment.types) continue;
      if ((wanted.resolution ?? resolution.moduleResolution) !== resolution.moduleResolution) continue;
      const name = `TypeScript ${compiler.version}, ${resolution.moduleResolution}, types of ${environment.types}`;
      jobs.push({ name, compiler, environment, resolution });
    }
  }
}
if (jobs.length === 0) fail("no combination matches");

for (const environment of environments) setUp(environment);
const total = jobs.length;
let failed = 0;
await Promise.all(Array.from({ length: availableParallelism() }, worker));
if (failed > 0) fail(`${failed} of ${total} combinations do not type-check`);
rmSync(work, { recursive: true });
console.log(`check-consumers: ${total} combinations of TypeScript, module resolution and platform types`);

async function worker() {
  for (let job = jobs.shift(); job !== undefined; job = jobs.shift()) {
    const output = await compile(job);
    if (output === "") continue;
    failed++;
    console.error(`-- ${job.name}\n${output}`);
  }
}

/** Makes the folder of a consumer, with the packages linked and no other types within reach. */
function setUp({ types, node, programs }) {
  const folder = join(work, types);
  const modules = join(folder, "node_modules");
  mkdirSync(join(modules, "@postern"), { recursive: true });
  writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true, type: "module" }));
  for (const program of programs) {
    copyFileSync(program.file, join(folder, basename(program.file.pathname)));
    symlinkSync(join(root, "packages", program.name), join(modules, "@postern", program.name), "junction");
  }
  if (node === undefined) return;
  mkdirSync(join(modules, "@types"));
  symlinkSync(folderOf(node), join(modules, "@types", "node"), "junction");
}

/** Resolves with what the compiler prints, or an exit code; nothing if the programs type-check. */
function compile({ compiler, environment, resolution }) {
  const folder = join(work, environment.types);
  const config = join(folder, `tsconfig.${compiler.version}.${resolution.moduleResolution}.json`);
  const compilerOptions = {
    ...resolution,
    target: "ES2022",
    lib: environment.lib,
    types: environment.node === undefined ? [] : ["node"],
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: false,
    noEmit: true,
  };
  writeFileSync(
    config,
    JSON.stringify({ compilerOptions, files: environment.programs.map(({ name }) => `${name}.ts`) }),
  );
  const tsc = join(folderOf(compiler.manifest), "bin", "tsc");
  return new Promise((resolve) => {
    const run = spawn(process.execPath, [tsc, "-p", config, "--pretty", "false"], { cwd: folder });
    let output = "";
    for (const stream of [run.stdout, run.stderr]) stream.on("data", (text) => (output += text));
    run.on("close", (code) => resolve(code === 0 ? "" : output || `exit code ${code}`));
  });
}

function supports({ version }, { node }) {
  if (node === undefined) return true;
  const manifest = JSON.parse(readFileSync(fileURLToPath(node), "utf8"));
  return number(version) >= number(manifest.typeScriptVersion);
}

function folderOf(manifest) {
  return dirname(realpathSync(fileURLToPath(manifest)));
}

/** 5.10 is later than 5.9. */
function number(version) {
  const [major, minor] = version.split(".").map(Number);
  return major * 1000 + minor;
}

function fail(why) {
  console.error(`check-consumers: ${why}`);
  process.exit(1);
}
