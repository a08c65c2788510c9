/** Runs the pnpm that package.json pins, with any arguments: `npm run audit -- --prod`. @module */
import { pnpm } from "./lib/run.mjs";

process.exitCode = pnpm(process.argv.slice(2));
