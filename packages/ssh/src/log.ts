/** Structured log records of tunnels and hosts. @module */
import { isThenable, sanitizeText } from "@postern/wire";

/** How important a record is. The names are methods of `console` and of common loggers. */
export type LogLevel = "debug" | "info" | "warn" | "error";

/** Further facts of a record. */
export type LogFields = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;

/** A record. It never holds a secret; unprintable characters in its texts are escaped as `\u{…}`. */
export interface LogRecord {
  readonly level: LogLevel;
  /** The name of the event, such as `login`. Names do not change. */
  readonly event: string;
  /** The same as a sentence for people. It may change between versions. */
  readonly message: string;
  readonly [field: string]: LogFields[string];
}

/**
 * Receives each record as it occurs. An error that it throws is ignored, because a log must not change a connection.
 *
 * @example
 * const log: Log = ({ level, message, ...fields }) => console[level](message, fields);
 * // With pino: ({ level, message, ...fields }) => logger[level](fields, message)
 */
export type Log = (record: LogRecord) => void;

/** Writes one record. */
export type WriteLog = (level: LogLevel, event: string, message: string, fields?: LogFields) => void;

/** Returns a function that passes records to `log`. It escapes texts, omits `undefined` fields, and never throws. */
export function createLogWriter(log: Log | undefined): WriteLog {
  if (log === undefined) return () => {};
  return (level, event, message, fields = {}) => {
    const shown = Object.entries(fields).filter(([, value]) => value !== undefined);
    try {
      const result: unknown = log({
        ...Object.fromEntries(shown.map(([name, value]) => [name, escaped(value)])),
        level,
        event,
        message: sanitizeText(message),
      });
      // A function that returns a Promise is assignable to `Log`.
      if (isPromise(result)) result.then(undefined, () => {});
    } catch {}
  };
}

function escaped(value: LogFields[string]): LogFields[string] {
  if (typeof value === "string") return sanitizeText(value);
  return typeof value === "object" ? value.map((text) => sanitizeText(text)) : value;
}

function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && isThenable(value);
}
