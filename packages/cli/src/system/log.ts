/** The log of a command that runs for long: records as text or JSON, to standard error or a file. @module */
import { closeSync, openSync, writeSync } from "node:fs";
import { createLogWriter, type Log, type LogLevel, type LogRecord } from "@postern/ssh";

/** Options of {@link createLogSink}. */
export interface LogSinkOptions {
  /** each record is one line of text, or one JSON object */
  readonly format: "text" | "json";
  /** the path of a file, to which records are appended; default: standard error */
  readonly file?: string | undefined;
  /** the least important records to log; default `info` */
  readonly level?: LogLevel | undefined;
}

/** A log. Its methods never throw: a full disk must not end a tunnel. */
export interface LogSink {
  /** Logs a record. */
  readonly log: Log;
  setLevel(level: LogLevel): void;
  /** Opens the file again, after another program has moved it. */
  reopen(): void;
  close(): void;
}

const levels: readonly LogLevel[] = ["debug", "info", "warn", "error"];

/**
 * Creates a log.
 *
 * @throws the system's error if the file cannot be opened
 */
export function createLogSink({ format, file, level = "info" }: LogSinkOptions): LogSink {
  let lowest = levels.indexOf(level);
  let descriptor = file === undefined ? undefined : open(file);
  let lost = 0;
  // Without a listener, an error of a closed terminal or pipe would end the process.
  if (file === undefined) process.stderr.on("error", () => {});
  const write = (line: string): boolean => {
    if (file === undefined) return process.stderr.write(line) || true;
    try {
      descriptor ??= open(file);
      return writeAll(descriptor, line);
    } catch {
      return false;
    }
  };
  const encode = format === "json" ? jsonLine : textLine;
  const append = (record: LogRecord): void => {
    if (levels.indexOf(record.level) < lowest) return;
    if (lost > 0) {
      const message = `${lost} records were lost, because the file could not be written`;
      if (!write(encode({ level: "warn", event: "lost", message, lost }))) {
        lost++;
        return;
      }
      lost = 0;
    }
    if (!write(encode(record))) lost++;
  };
  // Escapes what comes from a network.
  const writeRecord = createLogWriter(append);
  return {
    log: ({ level: own, event, message, ...fields }) => writeRecord(own, event, message, fields),
    setLevel(to) {
      lowest = levels.indexOf(to);
    },
    reopen() {
      if (file === undefined) return;
      const previous = descriptor;
      try {
        descriptor = open(file);
      } catch {
        // The next record tries again.
        descriptor = undefined;
      }
      if (previous !== undefined) closeQuietly(previous);
    },
    close() {
      if (descriptor !== undefined) closeQuietly(descriptor);
      descriptor = undefined;
    },
  };
}

/** Only its owner may read it, because it names visitors. */
function open(file: string): number {
  return openSync(file, "a", 0o600);
}

function writeAll(descriptor: number, line: string): boolean {
  const bytes = Buffer.from(line);
  const written = writeSync(descriptor, bytes);
  // A disk that is almost full takes a part. The rest is lost, and the line must end.
  return written === bytes.length;
}

function closeQuietly(descriptor: number): void {
  try {
    closeSync(descriptor);
  } catch {}
}

function jsonLine({ level, event, message, ...fields }: LogRecord): string {
  return `${JSON.stringify({ time: new Date().toISOString(), level, event, message, ...fields })}\n`;
}

function textLine({ level, message, tunnel }: LogRecord): string {
  const of = typeof tunnel === "string" ? `${tunnel}: ` : "";
  return `${new Date().toISOString()} ${level.padEnd(5)} ${of}${message}\n`;
}
