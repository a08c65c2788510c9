/** Whatever goes wrong while a key is read ends in one kind of error. @module */
import { SshError } from "@postern/wire";

/**
 * Runs `read`; what it throws comes out as an SshError `key` that starts with `expected`. Messages of others are kept only
 * when they are ours, since a library's might show a secret.
 */
export function reading<T>(expected: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof SshError && error.code === "key") throw error;
    const why = error instanceof SshError ? `: ${error.message}` : "";
    throw new SshError("key", `${expected}, got something else${why}`);
  }
}
