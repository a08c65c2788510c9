/** Waiting for promises and for the end of a pipe. @module */
import type { BytePipe } from "@postern/ssh";
import { fromUtf8, type SshError } from "@postern/wire";

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

/** Starts a pipe and ends it when the peer ends. Resolves with the received text once the pipe has closed. */
export function readToEnd(pipe: BytePipe): Promise<{ readonly text: string; readonly error: Error | undefined }> {
  let text = "";
  return new Promise((resolve) => {
    pipe.start({
      data(chunk) {
        text += fromUtf8(chunk);
      },
      end: () => pipe.end(),
      drain() {},
      closed: (error) => resolve({ text, error }),
    });
  });
}
