/** Finds the command of a command line, and runs it. @module */
import { commands } from "./commands.ts";
import { UsageError } from "./help/usage-error.ts";

/** Runs `postern` with the arguments of a process. Resolves with the exit status. */
export async function main(args: readonly string[]): Promise<number> {
  const [word = ""] = args;
  const named = commands.find(({ help }) => help.name !== "" && help.name === word);
  const command = named ?? commands.find(({ help }) => help.name === "");
  try {
    if (command === undefined) throw new UsageError("", `expected a command, got ${JSON.stringify(word)}`);
    const run = await command.load();
    return await run(named === undefined ? args : args.slice(1));
  } catch (error) {
    process.stderr.write(`postern: ${(error as Error).message}\n`);
    if (error instanceof UsageError) {
      const help = ["postern", ...(error.command === "" ? [] : [error.command]), "--help"].join(" ");
      process.stderr.write(`Try: ${help}\n`);
    }
    return 255;
  }
}
