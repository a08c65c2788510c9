/** Checks values that a program passes. Messages name types only, because a value may be a secret. @module */
import { SshError } from "./error.ts";

/** Describes the type of a value, such as `a string` or `a Promise; did you forget await?`. */
export function describeType(value: unknown): string {
  if (value === undefined || value === null) return String(value);
  if (typeof value !== "object") return `a ${typeof value}`;
  if (Array.isArray(value)) return "an array";
  if (isThenable(value)) return "a Promise; did you forget await?";
  const { constructor: type } = value as { readonly constructor?: unknown };
  if (typeof type !== "function" || type === Object) return "an object";
  return `an instance of ${type.name}`;
}

/** Returns whether the object has a `then` method. */
export function isThenable(value: object): boolean {
  return typeof (value as { readonly then?: unknown }).then === "function";
}

/** @throws SshError `misuse` unless the value has the type. Converting the value instead could weaken a check. */
export function expectType(
  name: string,
  value: unknown,
  type: "string" | "boolean" | "function" | "object" | "Uint8Array",
): void {
  // By name, because arrays of another realm are not instances of our Uint8Array.
  const matches =
    type === "Uint8Array"
      ? Object.prototype.toString.call(value) === "[object Uint8Array]"
      : typeof value === type && value !== null;
  if (!matches) throw misuse(name, `${type === "object" ? "an" : "a"} ${type}`, describeType(value));
}

/** @throws SshError `misuse` unless the value is a non-empty string */
export function expectText(name: string, value: unknown): void {
  if (typeof value !== "string" || value === "")
    throw misuse(name, "a non-empty string", value === "" ? '""' : describeType(value));
}

/** @throws SshError `misuse` unless the value is a number of at least `least`. Infinity is allowed, NaN is not. */
export function expectNumber(name: string, value: unknown, least = 0): asserts value is number {
  if (typeof value !== "number" || !(value >= least))
    throw misuse(name, `a number of at least ${least}`, numberOrType(value));
}

/** @throws SshError `misuse` unless the value is an integer of at least `least` */
export function expectInteger(name: string, value: unknown, least: number): void {
  if (!Number.isInteger(value) || (value as number) < least)
    throw misuse(name, `an integer of at least ${least}`, numberOrType(value));
}

/** @throws SshError `misuse` unless the value is a port number of at least `lowest`. It contains a string of digits. */
export function expectPort(name: string, value: unknown, lowest: 0 | 1): void {
  const maxPort = 65_535;
  if (Number.isInteger(value) && (value as number) >= lowest && (value as number) <= maxPort) return;
  const isDigits = typeof value === "string" && /^\d{1,5}$/.test(value);
  const got = isDigits ? `the string "${value}"` : numberOrType(value);
  throw misuse(name, `a port number from ${lowest} to ${maxPort}`, got);
}

/**
 * Checks a list and each of its entries. `expected` describes the list, such as `hosts to contain names`.
 * @throws SshError `misuse` that names the type of the first invalid entry
 */
export function expectList(expected: string, value: unknown, isValid: (entry: never) => unknown): void {
  const invalid = Array.isArray(value) ? value.findIndex((entry) => !isValid((entry ?? false) as never)) : undefined;
  if (invalid !== undefined && invalid < 0) return;
  const got = invalid === undefined ? value : (value as readonly unknown[])[invalid];
  throw new SshError("misuse", `expected ${expected}, got ${describeType(got)}`);
}

/** @throws SshError `misuse` for anything but an AbortSignal or undefined */
export function expectSignal(value: unknown): void {
  const signal = value as Partial<AbortSignal> | null | undefined;
  if (signal === undefined || typeof signal?.aborted === "boolean") return;
  throw misuse("signal", "an AbortSignal", describeType(value));
}

/** Returns a number in digits, and the type of any other value. */
function numberOrType(value: unknown): string {
  return typeof value === "number" ? String(value) : describeType(value);
}

function misuse(name: string, expected: string, got: string): SshError {
  return new SshError("misuse", `expected ${name} to be ${expected}, got ${got}`);
}
