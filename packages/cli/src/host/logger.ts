/** The log of a host: lines as sshd writes them, to standard error, a file, or the system's log. @module */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, writeSync } from "node:fs";
import { logFacilities, type MessageLevel, shows } from "./log-levels.ts";
import { HostConfigError } from "./sshd-config/config-error.ts";
import { systemReason } from "./sshd-config/parse.ts";

/** Writes lines of a level, unless the log is quieter. */
export interface HostLogger {
  /** A text of several lines becomes several lines. Unprintable characters must be escaped before. */
  write(level: MessageLevel, text: string): void;
  /** Other settings; what was written stays. */
  configure(settings: LogSettings): void;
  /** Waits until the system's log has everything. */
  close(): Promise<void>;
}

/** The settings of a log. */
export interface LogSettings {
  /** of {@link logLevels} */
  readonly level: string;
  /** of {@link logFacilities} */
  readonly facility: string;
}

/** Where lines go. */
export type LogPlace =
  | { readonly to: "stderr" }
  /** appended; created with the mode 0600 */
  | { readonly to: "file"; readonly path: string }
  /** The program `logger`; standard error with priorities if systemd reads that. */
  | { readonly to: "system"; readonly env?: NodeJS.ProcessEnv };

/** RFC 5424 section 6.2.1 */
const severities: Readonly<Record<MessageLevel, number>> = {
  FATAL: 2,
  ERROR: 3,
  INFO: 6,
  VERBOSE: 6,
  DEBUG1: 7,
  DEBUG2: 7,
  DEBUG3: 7,
};
/** Bytes that wait for the program `logger`. Further lines are dropped. */
const mostWaiting = 256 * 1024;
/** The longest line. */
const longest = 1024;

interface Sink {
  write(level: MessageLevel, line: string): void;
  close(): Promise<void>;
}

/** Creates the log of a host. @throws HostConfigError if a file cannot be opened */
export function createHostLogger(place: LogPlace, given: LogSettings): HostLogger {
  let settings = given;
  const sink = openSink(place, () => settings.facility);
  return {
    configure(changed) {
      settings = changed;
    },
    write(level, text) {
      if (!shows(settings.level, level)) return;
      for (const line of text.split("\n")) sink.write(level, line.slice(0, longest));
    },
    close: () => sink.close(),
  };
}

function openSink(place: LogPlace, facility: () => string): Sink {
  if (place.to === "stderr") return fileSink(2, false);
  if (place.to === "file") return fileSink(openLog(place.path), true);
  const { env = process.env } = place;
  // systemd reads the priority in front of a line (sd-daemon(3)).
  if (env.JOURNAL_STREAM !== undefined) return journalSink();
  return syslogSink(facility);
}

function openLog(path: string): number {
  try {
    return openSync(path, "a", 0o600);
  } catch (error) {
    const reason = systemReason((error as NodeJS.ErrnoException).code ?? "");
    throw new HostConfigError(`Couldn't open logfile ${path}: ${reason}`, 1);
  }
}

/** A full disk or a closed terminal must not end the host: the line is lost. */
function fileSink(descriptor: number, closes: boolean): Sink {
  return {
    write(level, line) {
      const prefix = level.startsWith("DEBUG") ? `${level.toLowerCase()}: ` : "";
      // As sshd, which may write to a terminal in raw mode.
      writeOrDrop(descriptor, `${prefix}${line}\r\n`);
    },
    async close() {
      if (closes) closeSync(descriptor);
    },
  };
}

function journalSink(): Sink {
  return {
    write: (level, line) => writeOrDrop(2, `<${severities[level]}>${withWord(level, line)}\n`),
    async close() {},
  };
}

function writeOrDrop(descriptor: number, text: string): void {
  try {
    writeSync(descriptor, text);
  } catch {
    // There is no other place to report it.
  }
}

/** As sshd, which adds a word if the line is not for a terminal. */
function withWord(level: MessageLevel, line: string): string {
  if (level === "INFO" || level === "VERBOSE") return line;
  return `${level.toLowerCase()}: ${line}`;
}

/** One process of logger(1) for all lines. Node.js cannot write to a UNIX datagram socket such as /dev/log. */
function syslogSink(facility: () => string): Sink {
  const args = ["--tag", "postern-host", `--id=${process.pid}`, "--prio-prefix"];
  let child: ChildProcess | undefined;
  let isGone = false;
  const start = (): ChildProcess => {
    // A process group of its own, so that an interrupt of the terminal does not end it before the last lines.
    const started = spawn("logger", args, { stdio: ["pipe", "ignore", "ignore"], detached: true });
    started.once("error", () => {
      isGone = true;
    });
    started.once("exit", () => {
      child = undefined;
    });
    started.stdin?.on("error", () => {});
    started.unref();
    (started.stdin as unknown as { unref?: () => void } | null)?.unref?.();
    return started;
  };
  return {
    write(level, line) {
      if (isGone) {
        // Without the program, standard error is the best that is left.
        writeOrDrop(2, `${withWord(level, line)}\n`);
        return;
      }
      child ??= start();
      const { stdin } = child;
      if (stdin === null || stdin.writableLength > mostWaiting) return;
      stdin.write(`<${(logFacilities[facility()] ?? 4) * 8 + severities[level]}>${withWord(level, line)}\n`);
    },
    async close() {
      const ending = child;
      if (ending === undefined) return;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 2_000);
        ending.once("exit", () => {
          clearTimeout(timer);
          resolve();
        });
        ending.ref();
        ending.stdin?.end();
      });
    },
  };
}
