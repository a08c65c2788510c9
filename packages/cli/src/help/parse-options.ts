/** Reads the options of a command by its description. @module */
import { parseArgs } from "node:util";
import type { CommandHelp, OptionHelp } from "./command-help.ts";
import { UsageError } from "./usage-error.ts";

/** The options and arguments of a command line. */
export interface ParsedOptions {
  /** by long name, or by letter for options without one: a text, several, or `true` for a switch */
  readonly values: Readonly<Record<string, string | readonly string[] | true | undefined>>;
  readonly positionals: readonly string[];
}

/**
 * Reads the arguments of a command. Every command has `--help`, too.
 *
 * @throws UsageError for an unknown option, a missing argument, or more than `maxPositionals` other arguments
 */
export function parseOptions(help: CommandHelp, args: readonly string[], maxPositionals = 0): ParsedOptions {
  const options: Record<string, { type: "string" | "boolean"; short?: string; multiple?: boolean }> = {};
  for (const option of help.options) {
    options[nameOf(option)] = {
      type: option.argument === undefined ? "boolean" : "string",
      ...(option.short !== undefined && { short: option.short }),
      ...(option.repeats === true && { multiple: true }),
    };
  }
  try {
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true, strict: true });
    if (positionals.length > maxPositionals)
      throw new Error(`expected at most ${maxPositionals} arguments, got ${positionals.length}`);
    return { values: values as ParsedOptions["values"], positionals };
  } catch (error) {
    throw new UsageError(help.name, firstSentence((error as Error).message));
  }
}

/** Node.js adds advice about dashes, which only few mistakes need. */
function firstSentence(message: string): string {
  const [first = ""] = message.split(/\.\s/);
  return first.charAt(0).toLowerCase() + first.slice(1);
}

function nameOf({ long, short = "" }: OptionHelp): string {
  return long ?? short;
}
