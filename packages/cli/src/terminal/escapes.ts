/** Escape characters of a session, as `~.` of ssh. @module */
import { type Bytes, sanitizeText } from "@postern/wire";
import { UsageError } from "../help/usage-error.ts";

/** The actions of the escapes. Each is called while `feed` runs. */
export interface EscapeActions {
  /** Shows a text on the terminal; its lines end with CR LF. ssh uses standard error. */
  print(text: string): void;
  /** `~.`: ends the connection. Nothing follows. */
  disconnect(): void;
  /** `~^Z`: stops the process. */
  suspend(): void;
  /** `~#`: returns the lines of the open connections, each ending with CR LF. */
  connections(): string;
  /** `~B`: sends a BREAK (RFC 4335). */
  sendBreak(): void;
  /** `~R`: exchanges keys again. */
  rekey(): void;
  /** `~v` (1) and `~V` (-1): changes LogLevel, and returns its new name. `undefined`: the log is not the terminal. */
  readonly changeLogLevel?: (step: 1 | -1) => string | undefined;
  /** `~C`: opens the command line. Omit it unless EnableEscapeCommandline is set. */
  readonly openCommandLine?: () => void;
}

/** Options of {@link createEscapes}. */
export interface EscapesOptions {
  /** the value of `-e` or EscapeChar of ssh_config(5): a character such as `~`, `^` and a letter, or `none` */
  readonly char: string;
  readonly actions: EscapeActions;
}

/** Filters what the user types. */
export interface Escapes {
  /** Returns the bytes for the server. Calls the actions of the escapes among them. */
  feed(bytes: Bytes): Bytes;
}

const newline = 0x0a;
const carriageReturn = 0x0d;
const controlZ = 0x1a;

/**
 * Creates a filter that finds escapes, as `process_escapes` of OpenSSH (clientloop.c): an escape character counts only
 * at the start and after CR or LF. A character that is no escape is sent, with the escape character before it.
 */
export function createEscapes({ char, actions }: EscapesOptions): Escapes {
  const escapeCode = parseEscapeChar(char);
  if (escapeCode === "none") return { feed: (bytes) => bytes };
  const shown = escapeCode < 0x20 ? `^${String.fromCharCode(escapeCode + 0x40)}` : String.fromCharCode(escapeCode);
  let afterNewline = true;
  let pending = false;
  let ended = false;

  /** Runs an escape. Returns whether it was one. */
  const run = (code: number): boolean => {
    switch (code) {
      case 0x2e: // .
        actions.print(`${shown}.\r\n`);
        ended = true;
        actions.disconnect();
        return true;
      case controlZ:
        actions.print(`${shown}^Z [suspend postern]\r\n`);
        actions.suspend();
        return true;
      case 0x42: // B
        actions.print(`${shown}B\r\n`);
        actions.sendBreak();
        return true;
      case 0x52: // R
        actions.rekey();
        return true;
      case 0x56: // V
      case 0x76: {
        const letter = String.fromCharCode(code);
        const level = actions.changeLogLevel?.(code === 0x76 ? 1 : -1);
        actions.print(`${shown}${letter} [${level === undefined ? "Logging to a file" : `LogLevel ${level}`}]\r\n`);
        return true;
      }
      case 0x26: // &
        actions.print(`${shown}& [not supported: Node.js cannot continue in another process; use -f]\r\n`);
        return true;
      case 0x3f: // ?
        actions.print(helpOf(shown, actions));
        return true;
      case 0x23: // #
        actions.print(`${shown}#\r\n${actions.connections()}`);
        return true;
      case 0x43: // C
        if (actions.openCommandLine === undefined) actions.print("commandline disabled\r\n");
        else actions.openCommandLine();
        return true;
      default:
        return false;
    }
  };

  return {
    feed(bytes) {
      // At most one more byte than came: an escape character that was held.
      const sent = new Uint8Array(bytes.length + 1);
      let size = 0;
      for (const code of bytes) {
        if (ended) break;
        if (pending) {
          pending = false;
          if (run(code)) continue;
          if (code !== escapeCode) sent[size++] = escapeCode;
        } else if (afterNewline && code === escapeCode) {
          pending = true;
          continue;
        }
        afterNewline = code === carriageReturn || code === newline;
        sent[size++] = code;
      }
      return sent.subarray(0, size);
    },
  };
}

/**
 * Returns the code of an escape character: a character, `^` followed by a letter, or `none` (`-e` of ssh(1)).
 * @throws UsageError
 */
export function parseEscapeChar(text: string): number | "none" {
  if (text.toLowerCase() === "none") return "none";
  const code = text.charCodeAt(text.length - 1);
  if (/^\^[@-\x7f]$/.test(text)) return code & 0x1f;
  if (text.length === 1 && code < 0x80) return code;
  throw new UsageError("", `Bad escape character '${sanitizeText(text)}'.`);
}

function helpOf(char: string, { openCommandLine, changeLogLevel }: EscapeActions): string {
  const lines = [
    [".", "terminate connection (and any multiplexed sessions)"],
    ["B", "send a BREAK to the remote system"],
    ...(openCommandLine === undefined ? [] : [["C", "open a command line"]]),
    ["R", "request rekey"],
    ...(changeLogLevel === undefined ? [] : [["V/v", "decrease/increase verbosity (LogLevel)"]]),
    ["^Z", "suspend postern"],
    ["#", "list forwarded connections"],
    ["?", "this message"],
  ].map(([key = "", text = ""]) => ` ${char}${key.padEnd(3)} - ${text}\r\n`);
  return [
    `${char}?\r\nSupported escape sequences:\r\n`,
    ...lines,
    ` ${char}${char}   - send the escape character by typing it twice\r\n`,
    "(Note that escapes are only recognized immediately after newline.)\r\n",
  ].join("");
}
