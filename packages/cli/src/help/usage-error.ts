/** The error of a command line that cannot be run. @module */

/** A command line is wrong. The command prints the message and where to find help, and exits with 255. */
export class UsageError extends Error {
  override readonly name = "UsageError";

  /** the word after `postern`; empty for the command that connects */
  readonly command: string;

  constructor(command: string, message: string) {
    super(message);
    this.command = command;
  }
}
