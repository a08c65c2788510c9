/** Bundles the fuzz targets of all packages with counters, and loads them. @module */
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";
import { root } from "../run.mjs";
import { instrument } from "./instrument.mjs";

/** The files of targets: `packages/<name>/test/fuzz.ts`. */
function targetFiles() {
  return readdirSync(join(root, "packages"))
    .map((name) => ({ name, file: `packages/${name}/test/fuzz.ts` }))
    .filter(({ file }) => existsSync(join(root, file)));
}

/** Returns the module that the entries make up, and its counters. `entries` are paths below a folder, by name. */
export async function loadWithCounters(entries, within = root) {
  const { outputFiles } = await build({
    absWorkingDir: within,
    stdin: {
      contents: entries.map(({ name, file }) => `export * as ${name} from "./${file}";`).join("\n"),
      resolveDir: within,
    },
    bundle: true,
    write: false,
    outdir: "out",
    format: "esm",
    platform: "node",
    target: "node20",
    charset: "ascii",
    conditions: ["@postern/source"],
    logLevel: "error",
  });
  const { code, files, literals } = instrument(outputFiles[0].text);
  const folder = join(root, "node_modules", ".cache", "postern-fuzz");
  mkdirSync(folder, { recursive: true });
  const path = join(folder, `${process.pid}-${Date.now()}-${Math.random()}.mjs`);
  writeFileSync(path, code);
  try {
    const module = await import(pathToFileURL(path).href);
    return { module, files, literals, counters: new Counters(module) };
  } finally {
    rmSync(path);
  }
}

/** Loads all targets. */
export async function loadTargets() {
  const entries = targetFiles();
  const { module, ...rest } = await loadWithCounters(entries);
  const targets = entries.flatMap(({ name, file }) =>
    module[name].targets.map((target) => ({ ...target, folder: join(root, file, "..", "crashes") })),
  );
  return { targets, ...rest };
}

/** The counters of a bundle. */
class Counters {
  #probes;
  #edges;
  #touched;
  /** 1 for each block that has run */
  blocks;

  constructor({ __probes, __edges, __touched, __blocks }) {
    this.#probes = __probes;
    this.#edges = __edges;
    this.#touched = __touched;
    this.blocks = __blocks;
  }

  /** Blocks that have run since `start`. */
  get steps() {
    return this.#probes.steps;
  }

  /** Whether the budget was exceeded, even if the code has caught the error. */
  get spent() {
    return this.#probes.spent;
  }

  /** Begins to count. The code throws after `budget` steps. */
  start(budget = Number.POSITIVE_INFINITY) {
    const probes = this.#probes;
    for (let at = 0; at < probes.touched; at++) this.#edges[this.#touched[at]] = 0;
    Object.assign(probes, { steps: 0, budget, last: 0, touched: 0, spent: false });
  }

  /** Ends the budget. */
  stop() {
    this.#probes.budget = Number.POSITIVE_INFINITY;
  }

  /** Calls `see` with each edge that has run since `start`, and how often, as a power of two. */
  forEachEdge(see) {
    for (let at = 0; at < this.#probes.touched; at++) {
      const edge = this.#touched[at];
      see(edge, 32 - Math.clz32(this.#edges[edge]));
    }
  }
}
