/** The levels and facilities of sshd_config(5). @module */

/** From the quietest to the loudest. `DEBUG` is `DEBUG1`. */
export const logLevels: readonly string[] = [
  "QUIET",
  "FATAL",
  "ERROR",
  "INFO",
  "VERBOSE",
  "DEBUG",
  "DEBUG1",
  "DEBUG2",
  "DEBUG3",
];

/** A level of a message. */
export type MessageLevel = "FATAL" | "ERROR" | "INFO" | "VERBOSE" | "DEBUG1" | "DEBUG2" | "DEBUG3";

/** Whether a log of a level has messages of another one. */
export function shows(level: string, message: MessageLevel): boolean {
  const order = ["QUIET", "FATAL", "ERROR", "INFO", "VERBOSE", "DEBUG1", "DEBUG2", "DEBUG3"];
  return order.indexOf(message) <= order.indexOf(level === "DEBUG" ? "DEBUG1" : level);
}

/** The numbers of syslog facilities (RFC 5424 section 6.2.1). */
export const logFacilities: Readonly<Record<string, number>> = {
  USER: 1,
  DAEMON: 3,
  AUTH: 4,
  AUTHPRIV: 10,
  LOCAL0: 16,
  LOCAL1: 17,
  LOCAL2: 18,
  LOCAL3: 19,
  LOCAL4: 20,
  LOCAL5: 21,
  LOCAL6: 22,
  LOCAL7: 23,
};
