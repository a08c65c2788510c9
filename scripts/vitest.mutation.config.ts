/** Tests for `npm run mutation`, with the sources that contain its changes. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { defineConfig, mergeConfig } from "vitest/config";
import base from "../vitest.config.ts";

const { sources, tests } = JSON.parse(readFileSync(process.env.POSTERN_MUTATION ?? "", "utf8")) as {
  readonly sources: Readonly<Record<string, string>>;
  readonly tests: readonly string[];
};
const root = join(import.meta.dirname, "..");
const { projects: _projects, ...test } = base.test ?? {};

export default mergeConfig(
  { ...base, test },
  defineConfig({
    root,
    plugins: [{ name: "changes", enforce: "pre", load: (id) => sources[id] }],
    test: {
      include: [...tests],
      runner: join(root, "scripts/lib/mutation/runner.mjs"),
      reporters: [],
      testTimeout: 20_000,
      // One process, so that modules are loaded and compiled once.
      isolate: false,
      fileParallelism: false,
      pool: "forks",
    },
  }),
);
