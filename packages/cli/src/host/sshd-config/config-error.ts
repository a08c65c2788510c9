/** Errors of a configuration, in the words of sshd. @module */

/** A configuration cannot be used. The message is what sshd prints. */
export class HostConfigError extends Error {
  override readonly name = "HostConfigError";
  /** the exit status of sshd */
  readonly status: number;

  constructor(message: string, status = 255) {
    super(message);
    this.status = status;
  }
}

/** A line that sshd reports and counts, before it ends with the number of such lines. */
export class BadLineError extends HostConfigError {}
