/** Signals. @module */
/** Calls when the signal fires, at once if it has fired. Gives what stops listening: a signal may live longer than who waits for it. */
export function onAbort(signal: AbortSignal | undefined, call: () => void): () => void {
  if (signal?.aborted) call();
  else signal?.addEventListener("abort", call, { once: true });
  return () => signal?.removeEventListener("abort", call);
}
