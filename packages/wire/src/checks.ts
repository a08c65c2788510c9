/** Checks of values that a program passes; the types of TypeScript do not hold them in JavaScript. @module */
import { SshError } from "./error.ts";
import { describeType } from "./expect-type.ts";

/** @throws SshError `misuse` unless the value is of the type; converting it could fail open */
export function expectType(name: string, value: unknown, type: "string" | "function" | "object" | "Uint8Array"): void {
  // By name, because the arrays of another realm are no instances of ours.
  const matches =
    type === "Uint8Array"
      ? Object.prototype.toString.call(value) === "[object Uint8Array]"
      : typeof value === type && value !== null;
  if (!matches) throw new SshError("misuse", `expected ${name} to be of type ${type}, got ${describeType(value)}`);
}
