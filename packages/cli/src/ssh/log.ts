/** The log of the command that connects: the lines of ssh on standard error, or records in JSON. @module */
import { spawn } from "node:child_process";
import { closeSync, openSync, writeSync } from "node:fs";
import type { Writable } from "node:stream";
import type { LogRecord } from "@postern/ssh";
import { sanitizeText } from "@postern/wire";
import { describeSystemError } from "./system-errors.ts";

/** The levels of LogLevel in ssh_config(5), from the quietest. */
export const logLevels = ["quiet", "fatal", "error", "info", "verbose", "debug1", "debug2", "debug3"] as const;

/** A level of LogLevel in ssh_config(5). */
export type SshLogLevel = (typeof logLevels)[number];

/** Options of {@link createSshLog}. */
export interface SshLogOptions {
  readonly level: SshLogLevel;
  /** the file of `-E`, to which lines are appended; default: standard error */
  readonly file?: string | undefined;
  readonly isJson?: boolean;
  /** `-y`: lines go to the system log, by logger(1) */
  readonly toSyslog?: boolean;
}

/** Writes the lines of ssh. */
export interface SshLog {
  /** may be changed at any time */
  level: SshLogLevel;
  readonly isJson: boolean;
  /** Whether lines of this level are written. */
  includes(level: SshLogLevel): boolean;
  /** Writes a line if its level is included. */
  write(level: SshLogLevel, line: string): void;
  /** Writes a record of a tunnel, with `--log json`. `debug` records are included from `debug1` on. */
  record(record: LogRecord): void;
  /** Called with each line before it is written to standard error, to clear a status line. */
  onLine: ((write: () => void) => void) | undefined;
  close(): void;
}

/** The levels of records in JSON, which have four. */
const recordLevels: Readonly<Record<LogRecord["level"], SshLogLevel>> = {
  debug: "debug1",
  info: "info",
  warn: "info",
  error: "error",
};

/**
 * Creates the log. Lines end with CR LF, as those of ssh do, because a terminal may be in raw mode. A full disk or a
 * closed standard error does not end the program.
 *
 * @throws Error in the words of ssh if the file cannot be opened
 */
export function createSshLog({ level, file, isJson = false, toSyslog = false }: SshLogOptions): SshLog {
  const syslog = toSyslog ? startLogger() : undefined;
  const fd = file === undefined ? undefined : openLog(file);
  const includes = (one: SshLogLevel): boolean => logLevels.indexOf(one) <= logLevels.indexOf(log.level);
  const put = (text: string): void => {
    if (fd !== undefined) {
      try {
        writeSync(fd, text);
      } catch {
        // A full disk must not end a tunnel.
      }
    } else if (syslog !== undefined) syslog.write(text);
    else if (log.onLine === undefined) process.stderr.write(text);
    else log.onLine(() => process.stderr.write(text));
  };
  const putRecord = (record: object): void => put(`${JSON.stringify({ time: new Date().toISOString(), ...record })}\n`);
  const log: SshLog = {
    level,
    isJson,
    includes,
    onLine: undefined,
    write(one, line) {
      if (!includes(one)) return;
      if (isJson) putRecord({ level: one.startsWith("debug") ? "debug" : one, event: "message", message: line });
      else put(`${one.startsWith("debug") ? `${one}: ` : ""}${sanitizeText(line, true)}\r\n`);
    },
    record(record) {
      if (isJson && includes(recordLevels[record.level])) putRecord(record);
    },
    close() {
      if (fd !== undefined) closeSync(fd);
      syslog?.end();
    },
  };
  return log;
}

/** The input of logger(1). Node.js has no call for the system log. */
function startLogger(): Writable {
  const logger = spawn("logger", ["-t", "postern"], { stdio: ["pipe", "ignore", "ignore"], detached: true });
  logger.on("error", () => {}).unref();
  logger.stdin.on("error", () => {});
  return logger.stdin;
}

function openLog(file: string): number {
  try {
    return openSync(file, "a", 0o666);
  } catch (error) {
    throw new Error(`Couldn't open logfile ${file}: ${describeSystemError(error)}`);
  }
}
