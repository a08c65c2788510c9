/** Checks of values that a program passes; the types of TypeScript do not hold them in JavaScript. @module */
import { SshError } from "./error.ts";

/** The type of a value for an error message, such as `string`, `null`, `Array` or `Promise`; never its content. */
export function typeName(value: unknown): string {
  if (value === null) return "null";
  return typeof value === "object" ? Object.prototype.toString.call(value).slice(8, -1) : typeof value;
}

/** @throws SshError `misuse` unless the value is of the type; converting it could fail open */
export function expectType(name: string, value: unknown, type: "string" | "function" | "object" | "Uint8Array"): void {
  // By name, because arrays of another realm are arrays, too.
  const got = typeName(value);
  if (got === type || (type === "object" && typeof value === "object" && value !== null)) return;
  throw new SshError("misuse", `expected ${name} to be of type ${type}, got ${got}`);
}
