/** All commands, in the order in which the help lists them. @module */
import type { Command } from "./help/command-help.ts";
import { sshHelp } from "./ssh/help.ts";

/** The commands by what follows `postern`. Anything else is a destination. */
export const commands: readonly Command[] = [{ help: sshHelp, load: async () => (await import("./ssh/run.ts")).runSsh }];
