/** The error of a command line that cannot be run. @module */

/**
 * A command line is wrong. The command prints the message, and exits with 255. The command that connects prints the
 * message alone, as ssh does; the others also print their name and where to find help.
 */
export class UsageError extends Error {
  override readonly name = "UsageError";

  /** the word after `postern`; empty for the command that connects */
  readonly command: string;
  /** the command that connects prints its usage, too */
  readonly showsUsage: boolean;

  constructor(command: string, message = "", showsUsage = false) {
    super(message);
    this.command = command;
    this.showsUsage = showsUsage;
  }
}
