/** Types of the configuration files of `postern`. @module */
export type { CommandHelp, Example, OptionHelp } from "./help/command-help.ts";
