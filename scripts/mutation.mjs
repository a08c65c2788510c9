/**
 * `npm run mutation`, after the bootstrap: changes the sources one expression at a time and runs the tests of the
 * package on each change. Prints the changes that no test notices, and the score of each package. Fails if the score of
 * a whole package is below its floor. `--file kex.ts:30-40` limits it to a file or to lines.
 * @module
 */
import { appendFileSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Instrumenter } from "@stryker-mutator/instrumenter";
import { endGroup, startGroup } from "./lib/groups.mjs";
import { runApart } from "./lib/mutation/apart.mjs";
import { scoreOf, scoreProblem, statusesOf } from "./lib/mutation/score.mjs";
import { root } from "./lib/run.mjs";

/**
 * Each package with the folders or files whose tests are meant to notice a change in it, and its lowest score in
 * percent. Each change of the file `apart` runs in a process of its own, on the tests of that file: with the steps of
 * its inner loops counted, a test takes minutes.
 */
const packages = {
  auth: { tests: ["packages/auth/test"], floor: 97 },
  connection: { tests: ["packages/connection/test"], floor: 96 },
  transport: { tests: ["packages/transport/test", "test-vectors/transcripts"], floor: 92 },
  crypto: {
    tests: ["packages/noble/test", "packages/transport/test/group-exchange.test.ts"],
    floor: 93,
    apart: {
      file: "kex/sntrup761.ts",
      quick: ["scripts/lib/mutation/sntrup761-quick.mjs"],
      all: ["scripts/lib/mutation/sntrup761-vectors.mjs", "packages/noble/test/sntrup761.test.ts"],
    },
  },
};
/** How long a test may run. */
const stuckMs = 180_000;
const folder = join(root, "coverage/mutation");

const { values } = parseArgs({
  options: {
    package: { type: "string", multiple: true },
    file: { type: "string", multiple: true },
  },
});
mkdirSync(folder, { recursive: true });
for (const name of values.package ?? Object.keys(packages)) {
  if (!(name in packages)) throw new Error(`expected one of ${Object.keys(packages).join(", ")}, got ${name}`);
  const { sources, changes } = await changesOf(name);
  const { apart } = packages[name];
  const file = apart && join(root, "packages", name, "src", apart.file);
  const alone = changes.filter(({ fileName }) => fileName === file);
  const together = changes.filter(({ fileName }) => fileName !== file);
  delete sources[file];
  const entries = [
    ...(together.length > 0 ? await runTests(name, sources, together) : []),
    ...(alone.length > 0 ? await runApart({ ...apart, changes: alone, folder: join(folder, "apart") }) : []),
  ];
  for (const { fails } of entries.filter(({ fails }) => fails !== undefined)) {
    console.log(`mutation: ${name}: expected the tests to pass without a change, this one fails: ${fails}`);
    process.exitCode = 1;
  }
  const results = statusesOf(changes, entries);
  for (const { status, change } of results) if (status !== "noticed" && status !== "import") print(change, status);
  const score = scoreOf(results);
  console.log(`mutation: ${name}: ${score.noticed} of ${score.counted} noticed`);
  // A file alone may be below the floor of its package.
  const problem = values.file === undefined ? scoreProblem(name, score, packages[name].floor) : undefined;
  if (problem === undefined) continue;
  console.log(`mutation: ${problem}`);
  process.exitCode = 1;
}

/** Returns the sources with all changes inside, by file, and the changes. */
async function changesOf(name) {
  const quiet = { debug() {}, info() {}, warn: console.warn, isDebugEnabled: () => false };
  const files = filesIn(`packages/${name}/src`, ".ts").map((path) => join(root, path));
  const wanted = values.file?.map((file) => file.split(":"));
  const inputs = files.flatMap((path) => {
    const match = wanted === undefined ? [] : wanted.filter(([file]) => path.endsWith(`/${file}`));
    if (wanted !== undefined && match.length === 0) return [];
    const ranges = match.flatMap(([, lines]) => (lines === undefined ? [] : [rangeOf(lines)]));
    return [{ name: path, content: readFileSync(path, "utf8"), mutate: ranges.length === 0 ? true : ranges }];
  });
  const options = { plugins: null, ignorers: [], excludedMutations: ["StringLiteral"] };
  const { files: outputs, mutants } = await new Instrumenter(quiet).instrument(inputs, options);
  return {
    sources: Object.fromEntries(outputs.map(({ name, content }) => [name, content])),
    changes: mutants.filter(({ status }) => status !== "Ignored"),
  };
}

/** Returns the files below a folder, by their path from the root. */
function filesIn(folder, extension) {
  return readdirSync(join(root, folder), { encoding: "utf8", recursive: true })
    .filter((path) => path.endsWith(extension) && !path.includes("node_modules"))
    .map((path) => `${folder}/${path}`);
}

/** Returns the range of lines such as `30-40`, counted from 0. */
function rangeOf(lines) {
  const [first, last = first] = lines.split("-").map(Number);
  return { start: { line: first - 1, column: 0 }, end: { line: last, column: 0 } };
}

/** Runs the tests on each change, and returns the entries that the runner reported. */
async function runTests(name, sources, changes) {
  const progress = join(folder, `${name}.jsonl`);
  const input = join(folder, `${name}.json`);
  writeFileSync(progress, "");
  // Key exchanges with each bit of a hybrid altered are slow, and about the primitive.
  const tests = packages[name].tests
    .flatMap((path) => (path.endsWith(".test.ts") ? [path] : filesIn(path, ".test.ts")))
    .filter((path) => !path.endsWith("/hybrid.test.ts"));
  const entries = () =>
    readFileSync(progress, "utf8")
      .split("\n")
      .slice(0, -1)
      .map((line) => JSON.parse(line));
  for (;;) {
    const done = new Set(entries().flatMap(({ noticed }) => noticed ?? []));
    const left = changes.map(({ id }) => id).filter((id) => !done.has(id));
    writeFileSync(input, JSON.stringify({ sources, tests, changes: left, progress }));
    await runVitest(input, progress);
    if (entries().at(-1)?.done) return entries();
    // A change that keeps a test from ending, or ends the process, counts as noticed.
    const { change } = entries().findLast(({ change }) => change !== undefined) ?? {};
    if (change === undefined || done.has(change)) throw new Error(`expected the tests of ${name} to run, see vitest`);
    appendFileSync(progress, `${JSON.stringify({ noticed: change })}\n`);
  }
}

/** Resolves when the run has ended, by itself or because a test did not end. */
function runVitest(input, progress) {
  return new Promise((resolve) => {
    const child = startGroup("npx", ["vitest", "run", "--config", "scripts/vitest.mutation.config.ts"], {
      cwd: root,
      stdio: ["ignore", "ignore", "inherit"],
      env: { ...process.env, POSTERN_MUTATION: input, NODE_NO_WARNINGS: "1" },
    });
    const watch = setInterval(() => {
      if (Date.now() - statSync(progress).mtimeMs >= stuckMs) endGroup(child);
    }, 1000);
    child.once("exit", () => {
      clearInterval(watch);
      resolve();
    });
  });
}

function print({ fileName, location, mutatorName, replacement }, status) {
  const { start, end } = location;
  const lines = readFileSync(fileName, "utf8")
    .split("\n")
    .slice(start.line, end.line + 1);
  const last = lines.length - 1;
  lines[last] = lines[last].slice(0, end.column);
  lines[0] = lines[0].slice(start.column);
  const short = (code) => code.replace(/\s+/g, " ").slice(0, 100);
  const where = `${fileName.slice(root.length)}:${start.line + 1}:${start.column + 1}`;
  console.log(`${where}: ${status}, ${mutatorName}: ${short(lines.join("\n"))} -> ${short(replacement)}`);
}
