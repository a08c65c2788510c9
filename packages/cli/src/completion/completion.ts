/** The command `postern completion`. @module */
import type { CommandHelp } from "../help/command-help.ts";
import { parseOptions } from "../help/parse-options.ts";
import { UsageError } from "../help/usage-error.ts";
import { renderBash } from "./bash.ts";
import { renderFish } from "./fish.ts";
import type { shells } from "./help.ts";
import { renderZsh } from "./zsh.ts";

const renderers: Record<(typeof shells)[number], (all: readonly CommandHelp[]) => string> = {
  bash: renderBash,
  zsh: renderZsh,
  fish: renderFish,
};

/** Prints the script of a shell. */
export async function runCompletion(
  help: CommandHelp,
  args: readonly string[],
  all: readonly CommandHelp[],
): Promise<number> {
  const [shell = ""] = parseOptions(help, args, 1).positionals;
  const render = Object.entries(renderers).find(([name]) => name === shell)?.[1];
  if (render === undefined)
    throw new UsageError(
      help.name,
      `expected a shell: ${Object.keys(renderers).join(", ")}, got ${JSON.stringify(shell)}`,
    );
  process.stdout.write(render(all));
  return 0;
}
