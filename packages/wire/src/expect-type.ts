/** Checks of values that come from the program; the messages name types, because a value may be a secret. @module */
import { SshError } from "./error.ts";

/** The type of a value in words, such as `a string` or `a Promise; did you forget await?`. */
export function describeType(value: unknown): string {
  if (value === undefined || value === null) return String(value);
  if (typeof value !== "object") return `a ${typeof value}`;
  if (Array.isArray(value)) return "an array";
  if (isThenable(value)) return "a Promise; did you forget await?";
  const { constructor: made } = value as { readonly constructor?: unknown };
  if (typeof made !== "function" || made === Object) return "an object";
  return `an instance of ${made.name}`;
}

/** Whether `await` would wait for the value. */
export function isThenable(value: object): boolean {
  return typeof (value as { readonly then?: unknown }).then === "function";
}

/** @throws SshError `misuse` unless the value is a number of at least `least`; Infinity is one, NaN is none */
export function expectNumber(name: string, value: unknown, least = 0): asserts value is number {
  if (typeof value === "number" && value >= least) return;
  const got = typeof value === "number" ? value : describeType(value);
  throw new SshError("misuse", `expected ${name} to be a number from ${least} on, got ${got}`);
}
