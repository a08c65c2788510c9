/** Waits that end early, and calls that end with a signal. @module */
import { onAbort } from "@postern/ssh";
import { maxTimerMs, SshError } from "@postern/wire";

/**
 * Resolves after `ms`, or as soon as the signal aborts.
 *
 * @param onTimer gets the timer, and a function that ends the wait
 */
export function sleep(
  ms: number,
  signal: AbortSignal,
  onTimer?: (timer: unknown, end: () => void) => void,
): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, Math.min(ms, maxTimerMs));
    onTimer?.(timer, done);
    signal.addEventListener("abort", done, { once: true });
  });
}

/** Settles as `value` does, or resolves with `undefined` as soon as the signal aborts. */
export function unlessAborted<T>(value: T | Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const stopListening = onAbort(signal, () => resolve(undefined));
    void Promise.resolve(value).then(resolve, reject).finally(stopListening);
  });
}

/**
 * Calls `work` with a signal of its own, which aborts when `signal` does or after `ms`. Resolves with `undefined` in
 * the first case.
 *
 * @throws SshError `timeout` in the second case; any error of `work`
 */
export async function withDeadline<T>(
  expected: string,
  ms: number,
  signal: AbortSignal,
  work: (signal: AbortSignal) => T | Promise<T>,
): Promise<T | undefined> {
  const limit = new AbortController();
  const late = new SshError("timeout", `expected ${expected} within ${ms} ms`);
  const timer = ms > maxTimerMs ? undefined : setTimeout(() => limit.abort(late), ms);
  const stopListening = onAbort(signal, () => limit.abort(signal.reason));
  try {
    const result = await unlessAborted(work(limit.signal), limit.signal);
    if (limit.signal.reason === late) throw late;
    return result;
  } finally {
    clearTimeout(timer);
    stopListening();
  }
}

/**
 * Settles a public call as `work` does. If the call's signal aborted it, rejects with the signal's reason, as on the
 * web platform. `onRejected` gets the original error.
 */
export async function abortableCall<T>(
  signal: AbortSignal | undefined,
  work: Promise<T>,
  onRejected: (error: unknown) => void,
): Promise<T> {
  try {
    return await work;
  } catch (error) {
    onRejected(error);
    const isAbort = error instanceof SshError && error.code === "aborted" && error.cause === signal?.reason;
    throw signal?.aborted && isAbort ? signal.reason : error;
  }
}
