/** Waiting that ends early. @module */
import { onAbort } from "@postern/ssh";
import { maxTimerMs, SshError } from "@postern/wire";

export { maxTimerMs };

/** Waits; a signal ends the wait early. */
export function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, Math.min(ms, maxTimerMs));
    signal.addEventListener("abort", done, { once: true });
  });
}

/** What the program answers; undefined when the signal fires first. */
export function unlessAborted<T>(answer: T | Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const settled = onAbort(signal, () => resolve(undefined));
    void Promise.resolve(answer).then(resolve, reject).finally(settled);
  });
}

/**
 * Calls `work` with a signal of its own, which fires when `signal` does or when `ms` have passed. Returns `undefined` in the first case.
 * @throws SshError `timeout` in the second; what `work` throws
 */
export async function withDeadline<T>(
  what: string,
  ms: number,
  signal: AbortSignal,
  work: (signal: AbortSignal) => T | Promise<T>,
): Promise<T | undefined> {
  const limit = new AbortController();
  const late = new SshError("timeout", `expected ${what} within ${ms} ms`);
  const timer = ms > maxTimerMs ? undefined : setTimeout(() => limit.abort(late), ms);
  const stopListening = onAbort(signal, () => limit.abort(signal.reason));
  try {
    const answer = await unlessAborted(work(limit.signal), limit.signal);
    if (limit.signal.reason === late) throw late;
    return answer;
  } finally {
    clearTimeout(timer);
    stopListening();
  }
}

/** A promise of a value, and what gives it. */
export interface Later<T> {
  readonly promise: Promise<T>;
  resolve(value: T): void;
}

export function later<T>(): Later<T> {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((give) => {
    resolve = give;
  });
  return { promise, resolve };
}

/** Resolves when the signal fires; one that is not there never does. */
export function fired(signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    onAbort(signal, resolve);
  });
}
