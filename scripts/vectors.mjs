/** `npm run vectors`: runs all test vectors with every provider in every runtime, and prints one table. @module */
import { run } from "./lib/run.mjs";

process.exitCode = run("vitest", ["run", "--config", "integration/vectors.config.ts"]);
