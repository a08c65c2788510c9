/** Checks of values that a program passes. Messages name types, because a value may be a secret; nothing is ever converted. @module */
import { SshError } from "./error.ts";
import { RfcLimits } from "./limits.ts";

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

/** @throws SshError `misuse` unless the value is of the type; converting it could fail open */
export function expectType(
  name: string,
  value: unknown,
  type: "string" | "boolean" | "function" | "object" | "Uint8Array",
): void {
  // By name, because the arrays of another realm are no instances of ours.
  const matches =
    type === "Uint8Array"
      ? Object.prototype.toString.call(value) === "[object Uint8Array]"
      : typeof value === type && value !== null;
  if (!matches) throw misuse(name, `${type === "object" ? "an" : "a"} ${type}`, describeType(value));
}

/** @throws SshError `misuse` unless the value is a string that is not empty */
export function expectText(name: string, value: unknown): void {
  if (typeof value !== "string" || value === "")
    throw misuse(name, "a non-empty string", value === "" ? '""' : describeType(value));
}

/** @throws SshError `misuse` unless the value is a number of at least `least`; Infinity is one, NaN is not */
export function expectNumber(name: string, value: unknown, least = 0): asserts value is number {
  if (typeof value !== "number" || !(value >= least)) throw misuse(name, `a number from ${least} on`, numberOr(value));
}

/** @throws SshError `misuse` unless the value is an integer of at least `least` */
export function expectInteger(name: string, value: unknown, least: number): void {
  if (!Number.isInteger(value) || (value as number) < least)
    throw misuse(name, `an integer from ${least} on`, numberOr(value));
}

/** @throws SshError `misuse` unless the value is a port of at least `lowest` */
export function expectPort(name: string, value: unknown, lowest: 0 | 1): void {
  const { maxPort } = RfcLimits;
  if (!Number.isInteger(value) || (value as number) < lowest || (value as number) > maxPort)
    throw misuse(name, `from ${lowest} to ${maxPort}`, numberOr(value));
}

/**
 * Checks a list and each of its entries. `expected` names the list and its entries, such as `hosts to hold names`.
 * @throws SshError `misuse` that names the type of the first entry that does not fit
 */
export function expectList(expected: string, value: unknown, fits: (entry: never) => unknown): void {
  const wrong = Array.isArray(value) ? value.findIndex((entry) => !fits((entry ?? false) as never)) : undefined;
  if (wrong !== undefined && wrong < 0) return;
  const got = wrong === undefined ? value : (value as readonly unknown[])[wrong];
  throw new SshError("misuse", `expected ${expected}, got ${describeType(got)}`);
}

/** @throws SshError `misuse` for anything but an AbortSignal or undefined */
export function expectSignal(value: unknown): void {
  const signal = value as Partial<AbortSignal> | null | undefined;
  if (signal === undefined || typeof signal?.aborted === "boolean") return;
  throw misuse("signal", "an AbortSignal", describeType(value));
}

/** A number by its value, anything else by its type. */
function numberOr(value: unknown): string {
  return typeof value === "number" ? String(value) : describeType(value);
}

function misuse(name: string, expected: string, got: string): SshError {
  return new SshError("misuse", `expected ${name} to be ${expected}, got ${got}`);
}
