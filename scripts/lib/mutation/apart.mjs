/**
 * Makes each change in a process of its own, without Stryker's counters: for code whose inner loops run millions of
 * steps. A limit of CPU time ends a change that never ends, so the load of the machine does not matter.
 * @module
 */
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { context } from "esbuild";
import { startGroup } from "../groups.mjs";
import { root } from "../run.mjs";

const plainTests = fileURLToPath(new URL("./plain-tests.mjs", import.meta.url));

/**
 * Runs the tests on each change, and returns entries like those of the runner: first the quick tests, then all, if the
 * change passes. `jobs` changes run at a time. `folder` gets the bundles.
 * @throws {Error} if a test fails without a change
 */
export async function runApart({ changes, quick, all, folder, jobs = 2 }) {
  mkdirSync(folder, { recursive: true });
  const rounds = [];
  for (const tests of [quick, all]) {
    const bundle = await createBundle(tests, changes, join(folder, "unchanged.mjs"));
    const { code, output } = await bundle.run(undefined, 600);
    await bundle.end();
    if (code !== 0 || !(Number(output) > 0)) {
      throw new Error(`expected the tests to pass without a change, got ${output}`);
    }
    // Whole seconds of CPU time, and several times those without a change.
    rounds.push({ tests, seconds: 1 + Math.ceil(3 * Number(output)) });
  }
  const progress = join(folder, "progress.jsonl");
  writeFileSync(progress, "");
  const left = [...changes];
  const entries = [];
  const work = async (job) => {
    const bundles = await Promise.all(
      rounds.map(async ({ tests, seconds }, round) => {
        return { seconds, bundle: await createBundle(tests, changes, join(folder, `${job}-${round}.mjs`)) };
      }),
    );
    for (let change = left.shift(); change !== undefined; change = left.shift()) {
      let isNoticed = false;
      for (const { bundle, seconds } of bundles) isNoticed ||= (await bundle.run(change, seconds)).code !== 0;
      const entry = { reached: [change.id], ...(isNoticed && { noticed: change.id }) };
      entries.push(entry);
      appendFileSync(progress, `${JSON.stringify(entry)}\n`);
    }
    for (const { bundle } of bundles) await bundle.end();
  };
  await Promise.all(Array.from({ length: jobs }, (_, job) => work(job)));
  return entries;
}

/** Returns the text of a file with one change. */
function changed({ fileName, location: { start, end }, replacement }) {
  const lines = readFileSync(fileName, "utf8").split("\n");
  const before = [...lines.slice(0, start.line), lines[start.line].slice(0, start.column)].join("\n");
  const after = [lines[end.line].slice(end.column), ...lines.slice(end.line + 1)].join("\n");
  return before + replacement + after;
}

/** Creates a bundle of tests. The bundler keeps what it read, so that another of the changes takes little time. */
async function createBundle(tests, changes, file) {
  let current;
  const changedFiles = [...new Set(changes.map(({ fileName }) => fileName.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")))];
  const plugin = {
    name: "changes",
    setup(build) {
      // Without `sideEffects`, a bundle that does not use `expect` does not load vitest.
      build.onResolve({ filter: /^vitest$/ }, ({ importer }) =>
        importer === plainTests ? { external: true, sideEffects: false } : { path: plainTests },
      );
      // A package without side effects has tests all the same.
      build.onResolve({ filter: /^\.\// }, ({ path, importer }) =>
        importer === "<stdin>" ? { path: join(root, path), sideEffects: true } : undefined,
      );
      build.onLoad({ filter: new RegExp(`^(?:${changedFiles.join("|")})$`) }, ({ path }) =>
        path === current?.fileName ? { contents: changed(current), loader: "ts" } : undefined,
      );
      // Vectors are found by the place of this module.
      build.onLoad({ filter: /\/testkit\/src\/vectors\.ts$/ }, ({ path }) => {
        const url = JSON.stringify(pathToFileURL(path).href);
        return { contents: readFileSync(path, "utf8").replaceAll("import.meta.url", url), loader: "ts" };
      });
    },
  };
  const bundler = await context({
    absWorkingDir: root,
    stdin: { contents: tests.map((path) => `import "./${path}";`).join("\n"), resolveDir: root },
    outfile: file,
    bundle: true,
    format: "esm",
    platform: "node",
    conditions: ["@postern/source"],
    logLevel: "error",
    plugins: [plugin],
  });
  return {
    /** Runs the tests with a change, for so many seconds of CPU time. */
    async run(change, seconds) {
      current = change;
      await bundler.rebuild();
      const command = `ulimit -t ${seconds}; exec "$0" --max-old-space-size=512 "$1"`;
      const child = startGroup("sh", ["-c", command, process.execPath, file], { stdio: ["ignore", "pipe", "pipe"] });
      let output = "";
      for (const stream of [child.stdout, child.stderr]) {
        stream.setEncoding("utf8").on("data", (text) => (output += text));
      }
      return { code: await new Promise((resolve) => child.once("close", resolve)), output };
    },
    end: () => bundler.dispose(),
  };
}
