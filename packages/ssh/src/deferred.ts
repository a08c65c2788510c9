/** Promises that are settled from outside, and calls that an abort signal ends. @module */

/** The two functions that settle a promise. Only the first call has an effect. */
export interface Settler<T> {
  readonly resolve: (value: T) => void;
  readonly reject: (error: unknown) => void;
}

/** A promise together with the functions that settle it. */
export interface Deferred<T = void> extends Settler<T> {
  readonly promise: Promise<T>;
}

/** Returns a new {@link Deferred}. Its promise is marked as handled: a rejection without a handler is not reported. */
export function deferred<T = void>(): Deferred<T> {
  let resolve: Settler<T>["resolve"] = () => {};
  let reject: Settler<T>["reject"] = () => {};
  const promise = new Promise<T>((...settler) => {
    [resolve, reject] = settler;
  });
  promise.catch(() => {});
  return { promise, resolve, reject };
}

/**
 * Calls `listener` when the signal aborts, or at once if it already has. Returns a function that removes the listener:
 * a signal may outlive the call it belongs to.
 */
export function onAbort(signal: AbortSignal | undefined, listener: () => void): () => void {
  if (signal?.aborted) listener();
  else signal?.addEventListener("abort", listener, { once: true });
  return () => signal?.removeEventListener("abort", listener);
}

/** Returns the same settler, which also calls `aborted` if the signal aborts before the promise settles. */
export function abortable<T>(
  signal: AbortSignal | undefined,
  { resolve, reject }: Settler<T>,
  aborted: () => void,
): Settler<T> {
  const stopListening = onAbort(signal, aborted);
  return {
    resolve(value) {
      stopListening();
      resolve(value);
    },
    reject(error) {
      stopListening();
      reject(error);
    },
  };
}
