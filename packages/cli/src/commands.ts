/** All commands, in the order in which the help lists them. @module */
import type { Command } from "./help/command-help.ts";
import { hostHelp } from "./host/help.ts";
import { downHelp, statusHelp, upHelp } from "./up/help.ts";

/** The commands by what follows `postern`. Anything else is a destination. */
export const commands: readonly Command[] = [
  { help: upHelp, load: async () => (await import("./up/run-up.ts")).runUp },
  { help: statusHelp, load: async () => (await import("./up/run-status.ts")).runStatus },
  { help: downHelp, load: async () => (await import("./up/run-status.ts")).runDown },
  { help: hostHelp, load: async () => (await import("./host/run.ts")).runHost },
];
