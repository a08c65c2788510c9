/** Checks of option values: a value of a wrong type is an error that names it, and is never converted. @module */
import { SshError } from "./error.ts";
import { RfcLimits } from "./limits.ts";

/** The type of a value, for messages. Never the value itself: it may be a secret. */
export function kindOf(value: unknown): string {
  if (value === null || value === "") return value === null ? "null" : '""';
  return typeof value === "object" ? Object.prototype.toString.call(value).slice(8, -1) : typeof value;
}

function misuse(name: string, expected: string, got: string): SshError {
  return new SshError("misuse", `expected ${name} to be ${expected}, got ${got}`);
}

/** What stands where a number belongs. */
function numberOr(value: unknown): string {
  return typeof value === "object" ? kindOf(value) : String(value);
}

/** @throws SshError `misuse` */
export function expectText(name: string, value: unknown): void {
  if (typeof value !== "string" || value === "") throw misuse(name, "a non-empty string", kindOf(value));
}

/** @throws SshError `misuse` */
export function expectNumber(name: string, value: unknown, lowest: number): void {
  if (typeof value !== "number" || !(value >= lowest)) {
    throw misuse(name, `a number from ${lowest} on`, numberOr(value));
  }
}

/** @throws SshError `misuse` */
export function expectPositive(name: string, value: unknown): void {
  if (typeof value !== "number" || !(value > 0)) throw misuse(name, "a number above 0", numberOr(value));
}

/** @throws SshError `misuse` */
export function expectPort(name: string, value: unknown, lowest: 0 | 1): void {
  const { maxPort } = RfcLimits;
  if (typeof value !== "number" || !Number.isInteger(value) || value < lowest || value > maxPort) {
    throw misuse(name, `from ${lowest} to ${maxPort}`, numberOr(value));
  }
}

/** @throws SshError `misuse` */
export function expectType(name: string, value: unknown, type: "string" | "boolean" | "function"): void {
  if (typeof value !== type) throw misuse(name, `a ${type}`, kindOf(value));
}

/**
 * Checks a list and each of its entries. `expected` says what it is to be, such as `hosts to hold names`.
 * @throws SshError `misuse`
 */
export function expectList(expected: string, value: unknown, fits: (entry: never) => unknown): void {
  if (Array.isArray(value)) {
    const wrong = value.findIndex((entry) => !fits((entry ?? false) as never));
    if (wrong < 0) return;
    throw new SshError("misuse", `expected ${expected}, got ${kindOf(value[wrong])}`);
  }
  throw new SshError("misuse", `expected ${expected}, got ${kindOf(value)}`);
}

/** @throws SshError `misuse` for anything but a signal or nothing */
export function expectSignal(value: unknown): void {
  const signal = value as Partial<AbortSignal> | null | undefined;
  if (signal === undefined || typeof signal?.aborted === "boolean") return;
  throw misuse("signal", "an AbortSignal", kindOf(value));
}
