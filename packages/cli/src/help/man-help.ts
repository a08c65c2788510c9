/** The description of `postern man`. @module */
import type { CommandHelp } from "./command-help.ts";

export const manHelp: CommandHelp = {
  name: "man",
  summary: "prints the man page",
  synopsis: [""],
  description: ["The page describes all commands and options, in the format of man(1). npm installs it, too."],
  options: [],
  examples: [
    { text: "Read it:", command: "postern man | man -l -" },
    { text: "Install it:", command: "postern man > ~/.local/share/man/man1/postern.1" },
  ],
};
