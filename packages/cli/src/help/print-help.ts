/** Prints help on the standard output. @module */
import type { CommandHelp } from "./command-help.ts";
import { type HelpLayout, renderHelp, renderOverview } from "./render-help.ts";

/** Prints the help of one command. */
export function printHelp(help: CommandHelp): number {
  process.stdout.write(renderHelp(help, layout()));
  return 0;
}

/** Prints the help of the program, with all commands. */
export function printOverview(all: readonly CommandHelp[]): number {
  process.stdout.write(renderOverview(all, layout()));
  return 0;
}

function layout(): HelpLayout {
  const { stdout } = process;
  // https://no-color.org, and terminals that have no attributes.
  const { NO_COLOR: noColor = "", TERM: term } = process.env;
  if (!stdout.isTTY) return { width: 80, bold: false };
  return { width: stdout.columns, bold: noColor === "" && term !== "dumb" };
}
