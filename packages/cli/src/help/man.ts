/** The command `postern man`. @module */
import { releaseDate, releaseVersion } from "../release.ts";
import type { CommandHelp } from "./command-help.ts";
import { programSummary, renderManPage } from "./man-page.ts";
import { parseOptions } from "./parse-options.ts";

/** Prints the man page in roff. */
export async function runMan(help: CommandHelp, args: readonly string[], all: readonly CommandHelp[]): Promise<number> {
  parseOptions(help, args);
  process.stdout.write(renderManPage(all, { version: releaseVersion, date: releaseDate, summary: programSummary }));
  return 0;
}
