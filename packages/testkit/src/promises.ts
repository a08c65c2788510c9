/** Waiting for promises. @module */
import type { SshError } from "@postern/wire";

/** Returns the error that a promise rejects with. Rejects if the promise fulfils. */
export async function rejection(promise: Promise<unknown>): Promise<SshError> {
  try {
    await promise;
  } catch (error) {
    return error as SshError;
  }
  throw new Error("expected a rejection, got a value");
}

/** Runs `count` microtasks and the callbacks of `setImmediate`: everything that needs no timer and no I/O. */
export async function turns(count = 50): Promise<void> {
  for (let n = 0; n < count; n++) await Promise.resolve();
  await new Promise((resolve) => setImmediate(resolve));
}
