/**
 * Installs the workspace with the pnpm that package.json pins, so that `npm test` and `npm run demo` need only Node.js
 * and npm. Imports no installed package. Arguments are passed to pnpm: `--filter` skips the runtimes.
 * @module
 */
import { pnpm } from "./lib/run.mjs";

process.exitCode = pnpm(["install", "--frozen-lockfile", "--reporter=append-only", ...process.argv.slice(2)]);
