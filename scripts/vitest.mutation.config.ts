/**
 * Tests for `npm run mutation`. Runs in a copy of the workspace whose `node_modules` lead back to the original, so our
 * own packages are found by alias.
 */

import { join } from "node:path";
import { defineConfig } from "vitest/config";

const root = join(import.meta.dirname, "..");

export default defineConfig({
  root,
  resolve: {
    alias: [
      { find: /^@postern\/([a-z]+)$/, replacement: join(root, "packages/$1/src/index.ts") },
      { find: /^@postern\/([a-z]+)\/([a-z]+)$/, replacement: join(root, "packages/$1/src/$2.ts") },
    ],
  },
  test: {
    include: (process.env.POSTERN_MUTATION_TESTS ?? "").split(",").map((folder) => `${folder}/**/*.test.ts`),
    exclude: ["**/node_modules/**"],
    testTimeout: 30_000,
    // One process loads the modules once for all test files, which halves the time of a mutant.
    isolate: false,
  },
});
