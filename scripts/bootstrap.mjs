/**
 * Installs the workspace with the pnpm pinned in package.json, so that `npm test` and `npm run demo` work on a machine that
 * has only Node.js and npm. Imports nothing that has to be installed. Arguments go to pnpm: `--filter` leaves the runtimes out.
 * @module
 */
import { pnpm } from "./lib/run.mjs";

process.exitCode = pnpm(["install", "--frozen-lockfile", "--reporter=append-only", ...process.argv.slice(2)]);
