/** How options and command lines are written, in each form of the help. @module */
import type { CommandHelp, OptionHelp } from "./command-help.ts";

/** Returns the forms of the command line: `postern keygen [options]`. */
export function usageOf({ name, synopsis }: CommandHelp): string[] {
  return synopsis.map((form) => ["postern", name, form].filter((part) => part !== "").join(" "));
}

/** Returns the names of an option with their dashes, the short one first. */
export function namesOf({ short, long }: OptionHelp): string[] {
  return [...(short === undefined ? [] : [`-${short}`]), ...(long === undefined ? [] : [`--${long}`])];
}

/** Returns the names of an option, and its argument: `-t, --type <type>`. */
export function optionLabel(option: OptionHelp): string {
  return [namesOf(option).join(", "), ...(option.argument === undefined ? [] : [placeholder(option.argument)])].join(
    " ",
  );
}

/** A form with several parts, such as `[address:]port`, needs no brackets around it. */
function placeholder(argument: string): string {
  return /^[\w ]+$/.test(argument) ? `<${argument}>` : argument;
}
