/** Options of the programs in this folder. @module */
import { parseArgs } from "node:util";

/**
 * Returns what `parseArgs` of Node.js returns. `--help` prints `usage` and ends the program. A mistake prints one line
 * and ends it with status 2.
 */
export function readOptions(usage, { options, allowPositionals = false }) {
  try {
    const parsed = parseArgs({ options: { ...options, help: { type: "boolean", short: "h" } }, allowPositionals });
    if (!parsed.values.help) return parsed;
  } catch (error) {
    refuse(error.message);
  }
  console.log(usage);
  process.exit(0);
}

/** Returns the number of an option. */
export function positiveInteger(name, text) {
  const number = Number(text);
  if (!(Number.isInteger(number) && number > 0)) refuse(`expected --${name} to be a positive integer, got ${text}`);
  return number;
}

/** Ends the program because of a mistake in its options. */
export function refuse(message) {
  console.error(message);
  process.exit(2);
}
