/** Signals. @module */
import { describeType, SshError } from "@postern/wire";

/** @throws SshError `misuse` unless it is an AbortSignal or `undefined`; a signal of another realm is no instance of ours, but will do */
export function expectSignal(signal: unknown): asserts signal is AbortSignal | undefined {
  const { addEventListener, aborted } = (signal ?? {}) as Partial<AbortSignal>;
  if (signal === undefined || (typeof addEventListener === "function" && typeof aborted === "boolean")) return;
  throw new SshError("misuse", `expected signal to be an AbortSignal, got ${describeType(signal)}`);
}

/** Calls when the signal fires, at once if it has fired. Gives what stops listening: a signal may live longer than who waits for it. */
export function onAbort(signal: AbortSignal | undefined, call: () => void): () => void {
  if (signal?.aborted) call();
  else signal?.addEventListener("abort", call, { once: true });
  return () => signal?.removeEventListener("abort", call);
}
