/** All commands, in the order in which the help lists them. @module */
import type { Command } from "./help/command-help.ts";
import { hostHelp } from "./host/help.ts";

/** The commands by what follows `postern`. Anything else is a destination. */
export const commands: readonly Command[] = [
  { help: hostHelp, load: async () => (await import("./host/run.ts")).runHost },
];
