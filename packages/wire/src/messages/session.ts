/** The type-specific parts of the channel requests of a session, RFC 4254 section 6. @module */
import { boolean, optionalText, record, string, text, uint32 } from "../codec.ts";

/** RFC 4254 section 6.2. `modes` are encoded as in section 8. */
export const PtyRequest = record("pty-req", {
  terminal: text,
  columns: uint32,
  rows: uint32,
  width: uint32,
  height: uint32,
  modes: string,
});
/** RFC 4254 section 6.4 */
export const EnvRequest = record("env", { name: text, value: text });
/** RFC 4254 section 6.5 */
export const ExecRequest = record("exec", { command: text });
/** RFC 4254 section 6.5 */
export const SubsystemRequest = record("subsystem", { name: text });
/** RFC 4254 section 6.7 */
export const WindowChange = record("window-change", { columns: uint32, rows: uint32, width: uint32, height: uint32 });
/** RFC 4254 section 6.9 */
export const SignalRequest = record("signal", { signal: text });
/** RFC 4254 section 6.10 */
export const ExitStatus = record("exit-status", { status: uint32 });
/** RFC 4254 section 6.10 */
export const ExitSignal = record("exit-signal", {
  signal: text,
  coreDumped: boolean,
  message: text,
  language: optionalText,
});
