/** Finds the command of a command line, and runs it. @module */
import { UsageError } from "./help/usage-error.ts";
import { versionLine } from "./version.ts";

/** Runs `postern` with the arguments of a process. Resolves with the exit status. */
export async function main(args: readonly string[]): Promise<number> {
  const [word = ""] = args;
  if (word === "-V" || word === "--version") {
    process.stderr.write(`${versionLine()}\n`);
    return 0;
  }
  try {
    return await runCommand(word, args);
  } catch (error) {
    process.stderr.write(await describe(error as Error));
    return 255;
  }
}

/** Returns the text that is printed for an error. */
async function describe(error: Error): Promise<string> {
  if (!(error instanceof UsageError)) return `postern: ${error.message}\n`;
  const { command, message, showsUsage } = error;
  if (command !== "") return `postern: ${message}\nTry: postern ${command} --help\n`;
  const { sshHelp } = await import("./ssh/help.ts");
  const forms = sshHelp.synopsis.map((form) => `postern ${form}`).join("\n       ");
  return `${message === "" ? "" : `${message}\n`}${showsUsage ? `usage: ${forms}\nTry: postern --help\n` : ""}`;
}

async function runCommand(word: string, args: readonly string[]): Promise<number> {
  const { commands, descriptions } = await import("./commands.ts");
  const named = commands.find(({ help }) => help.name !== "" && help.name === word);
  if (word === "--help" || (named !== undefined && asksForHelp(args))) {
    const { printHelp, printOverview } = await import("./help/print-help.ts");
    return named === undefined ? printOverview(descriptions()) : printHelp(named.help);
  }
  const command = named ?? commands.find(({ help }) => help.name === "");
  if (command === undefined) throw new UsageError("", `expected a command, got ${JSON.stringify(word)}`);
  const run = await command.load();
  return await run(named === undefined ? args : args.slice(1));
}

function asksForHelp(args: readonly string[]): boolean {
  const end = args.indexOf("--");
  return args.slice(0, end < 0 ? undefined : end).includes("--help");
}
