/** Errors of `node:crypto` about keys. @module */
import { SshError } from "@postern/wire";

/** Turns an error of `node:crypto` into an SshError `key` with that error as its cause. */
export function keyErrors<T>(expected: string, run: () => T): T {
  try {
    return run();
  } catch (cause) {
    throw new SshError("key", `expected node:crypto ${expected}, got an error`, { cause });
  }
}
