/** Those who wait for an answer of the peer. @module */
import { onAbort } from "./on-abort.ts";

/** One of the two is called, once; whatever comes later is dropped. */
export interface Waiter<T> {
  readonly resolve: (value: T) => void;
  readonly reject: (error: unknown) => void;
}

/** A waiter who may lose patience: `aborted` is called when the signal fires before the answer is there. */
export function waiter<T>(
  signal: AbortSignal | undefined,
  { resolve, reject }: Waiter<T>,
  aborted: () => void,
): Waiter<T> {
  const settled = onAbort(signal, aborted);
  return {
    resolve(value) {
      settled();
      resolve(value);
    },
    reject(error) {
      settled();
      reject(error);
    },
  };
}
