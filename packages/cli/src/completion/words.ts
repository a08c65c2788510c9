/** Words that shells offer, as the scripts of all shells need them. @module */
import type { CommandHelp, Completes } from "../help/command-help.ts";

/** Returns the names of the commands. */
export function commandNames(all: readonly CommandHelp[]): string[] {
  return all.map(({ name }) => name).filter((name) => name !== "");
}

/** Returns the first sentence of a text, without the full stop, because shells show one line. */
export function firstSentence(text: string): string {
  const [first = ""] = text.split(/(?<=[^.][^.][.;:]) /);
  return first.replace(/[.;:]$/, "");
}

/** Returns the words to choose from, if the choice is one of words. */
export function choices(completes: Completes, all: readonly CommandHelp[]): readonly string[] | undefined {
  if (typeof completes !== "string") return completes;
  return completes === "command" ? commandNames(all) : undefined;
}

/** Puts a text in single quotes for bash and zsh. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
