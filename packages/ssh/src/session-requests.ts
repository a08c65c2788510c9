/** The requests that start a session, RFC 4254 sections 6.2 to 6.5. @module */
import {
  type Bytes,
  EnvRequest,
  ExecRequest,
  expectText,
  expectType,
  PtyRequest,
  SshError,
  SubsystemRequest,
} from "@postern/wire";
import * as Limits from "@postern/wire/limits";
import { checkOptions } from "./options.ts";

/** The size of a terminal. A size in pixels counts only if it is not 0 (RFC 4254 section 6.2). */
export interface TerminalSize {
  /** in characters */
  readonly columns: number;
  readonly rows: number;
  /** in pixels; default 0 */
  readonly width?: number;
  readonly height?: number;
}

/** Options of a terminal that the server allocates (RFC 4254 section 6.2). */
export interface PtyOptions extends Partial<TerminalSize> {
  /** the type, as in the environment variable TERM; default `xterm-256color` */
  readonly term?: string;
  /** width in characters; default 80 */
  readonly columns?: number;
  /** height in characters; default 24 */
  readonly rows?: number;
  /** width in pixels; default 0, unknown */
  readonly width?: number;
  /** height in pixels; default 0, unknown */
  readonly height?: number;
  /** encoded by `terminalModes`; default: the server's */
  readonly modes?: Bytes;
}

/** The program of a session. Exactly one of `exec`, `shell` and `subsystem` is required. */
export interface SessionProgram {
  /** a command line, which the server's shell interprets; never build it from untrusted text */
  readonly exec?: string;
  /** the user's login shell */
  readonly shell?: true;
  /** a program that the server knows by this name, such as `sftp` */
  readonly subsystem?: string;
  /** allocates a terminal; `true` means the defaults */
  readonly pty?: PtyOptions | true;
  /** environment variables; sshd accepts only those of its `AcceptEnv` */
  readonly env?: Readonly<Record<string, string>>;
}

/** One channel request. */
export interface SessionRequest {
  readonly type: string;
  readonly specificData: Bytes;
}

/** The names of the options of {@link SessionProgram}. */
export const programOptions = ["exec", "shell", "subsystem", "pty", "env"] as const;

/** Returns the requests in the order in which they are sent, the program last. @throws SshError `misuse` */
export function sessionRequests({ exec, shell, subsystem, pty, env = {} }: SessionProgram): readonly SessionRequest[] {
  const requests: SessionRequest[] = [];
  if (pty !== undefined) requests.push({ type: "pty-req", specificData: encodePty(pty === true ? {} : pty) });
  expectType("env", env, "object");
  for (const [name, value] of Object.entries(env)) {
    expectType(`env.${name}`, value, "string");
    requests.push({ type: "env", specificData: EnvRequest.encode({ name, value }) });
  }
  const given = [exec, shell, subsystem].filter((one) => one !== undefined);
  if (given.length !== 1 || (shell !== undefined && shell !== true))
    throw new SshError("misuse", `expected one of exec, subsystem and shell: true, got ${given.length || "none"}`);
  if (shell) requests.push({ type: "shell", specificData: new Uint8Array(0) });
  else if (exec !== undefined) {
    expectText("exec", exec);
    requests.push({ type: "exec", specificData: ExecRequest.encode({ command: exec }) });
  } else if (subsystem !== undefined) {
    expectText("subsystem", subsystem);
    requests.push({ type: "subsystem", specificData: SubsystemRequest.encode({ name: subsystem }) });
  }
  return requests;
}

function encodePty(pty: PtyOptions): Bytes {
  checkOptions("pty", pty, ["term", "columns", "rows", "width", "height", "modes"]);
  const { term: terminal = "xterm-256color", columns = 80, rows = 24, width = 0, height = 0, modes = noModes } = pty;
  expectText("pty.term", terminal);
  expectType("pty.modes", modes, "Uint8Array");
  return PtyRequest.encode({ terminal, modes, ...checkSize({ columns, rows, width, height }) });
}

/** TTY_OP_END (RFC 4254 section 8) */
const noModes: Bytes = /* @__PURE__ */ new Uint8Array(1);

/** Fills in the defaults. @throws SshError `misuse` */
export function checkSize({ columns, rows, width = 0, height = 0 }: TerminalSize): Required<TerminalSize> {
  for (const [name, value] of Object.entries({ columns, rows, width, height })) expectUint32(name, value);
  return { columns, rows, width, height };
}

/** @throws SshError `misuse` */
export function expectUint32(name: string, value: unknown): void {
  const { maxWindow: most } = Limits;
  if (Number.isInteger(value) && (value as number) >= 0 && (value as number) <= most) return;
  throw new SshError("misuse", `expected ${name} to be an integer from 0 to ${most}, got ${String(value)}`);
}
