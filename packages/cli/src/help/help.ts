/** The command `postern help`. @module */
import type { CommandHelp } from "./command-help.ts";
import { parseOptions } from "./parse-options.ts";
import { printHelp, printOverview } from "./print-help.ts";
import { UsageError } from "./usage-error.ts";

/** Prints the help of a command, or of all. Resolves with the exit status. */
export async function runHelp(
  help: CommandHelp,
  args: readonly string[],
  all: readonly CommandHelp[],
): Promise<number> {
  const [name = ""] = parseOptions(help, args, 1).positionals;
  if (name === "") return printOverview(all);
  const named = all.find((one) => one.name === name);
  if (named === undefined)
    throw new UsageError(help.name, `expected the name of a command, got ${JSON.stringify(name)}`);
  return printHelp(named);
}
