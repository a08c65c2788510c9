/** The description of `postern help`. @module */
import type { CommandHelp } from "./command-help.ts";

export const helpHelp: CommandHelp = {
  name: "help",
  summary: "describes a command and its options",
  synopsis: ["[command]"],
  description: ["Prints the same text as --help after the command."],
  options: [],
  examples: [{ text: "How to make keys:", command: "postern help keygen" }],
  completes: ["command"],
};
