/** Everything that talks to a terminal. @module */

export { hasTerminal, PromptInterrupted } from "./ask-terminal.ts";
export { askpassUse } from "./askpass.ts";
export { createEscapes, type EscapeActions, type Escapes, type EscapesOptions, parseEscapeChar } from "./escapes.ts";
export { createHostKeyReport, type HostKeyReport, type HostKeyReportOptions } from "./host-key-report.ts";
export { keyTypeName, nameAndPort } from "./host-key-texts.ts";
export {
  createPrompts,
  type HostKeyDescription,
  type PromptLogin,
  type Prompts,
  type PromptsOptions,
} from "./prompts.ts";
export { createStatusLine, type Status, type StatusLine } from "./status-line.ts";
export { openTerminal, type Terminal } from "./terminal.ts";
