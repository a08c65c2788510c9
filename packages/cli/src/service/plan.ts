/** The parts of a service, whichever manager runs it. @module */

/** A service to install. */
export interface ServiceRequest {
  /** letters, digits, `-` and `_` */
  readonly name: string;
  /** whether it belongs to the system, and starts without a login */
  readonly isSystem: boolean;
  /** the user that a service of the system runs as */
  readonly runAs: string | undefined;
  /** absolute paths of Node.js and of the program */
  readonly program: readonly string[];
  /** what follows `postern` */
  readonly args: readonly string[];
  readonly workingFolder: string;
  /** the home directory, or an equivalent */
  readonly home: string;
}

/** The file of a service, and the commands that tell the manager of it. */
export interface ServicePlan {
  readonly path: string;
  readonly text: string;
  readonly install: readonly Command[];
  /** Commands before and after the file is removed. */
  readonly uninstall: { readonly before: readonly Command[]; readonly after: readonly Command[] };
  logs(options: LogOptions): Command;
  /** facts that the user has to know */
  readonly notes: readonly string[];
}

export interface LogOptions {
  readonly lines: number;
  readonly follow: boolean;
}

/** A program and its arguments. */
export type Command = readonly string[];

/** A part of each file. Only files with it are replaced or removed. */
export const signature = "Written by postern service install";

/** The kind of a command line, which decides how the service tells that it is ready, and where it logs. */
export function kindOf(args: readonly string[]): "up" | "host" | "connect" {
  const [word] = args;
  return word === "up" || word === "host" ? word : "connect";
}

/** Returns the arguments with the log in a file, for managers that keep none. */
export function withLogFile(args: readonly string[], file: string): readonly string[] {
  const [first = "", ...rest] = args;
  switch (kindOf(args)) {
    case "up":
      return [first, "--log-file", file, ...rest];
    case "host":
      return [first, "-E", file, ...rest];
    case "connect":
      return ["-E", file, ...args];
  }
}
