/** Everything that talks to a terminal. @module */
export { createEscapes } from "./escapes.ts";
export { createHostKeyReport } from "./host-key-report.ts";
export { createPrompts, type Prompts } from "./prompts.ts";
export { createStatusLine } from "./status-line.ts";
export { openTerminal, type Terminal } from "./terminal.ts";
