/** The command `postern man`. @module */
import { version } from "@postern/ssh";
import { releaseDate } from "../release-date.ts";
import type { CommandHelp } from "./command-help.ts";
import { programSummary, renderManPage } from "./man-page.ts";
import { parseOptions } from "./parse-options.ts";

/** Prints the man page in roff. */
export async function runMan(help: CommandHelp, args: readonly string[], all: readonly CommandHelp[]): Promise<number> {
  parseOptions(help, args);
  process.stdout.write(renderManPage(all, { version, date: releaseDate, summary: programSummary }));
  return 0;
}
