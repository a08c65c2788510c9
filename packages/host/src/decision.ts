/** What `authorize` says, read with distrust: whatever is no clear yes is a no. @module */
import { checkOptions } from "@postern/ssh";
import { describeType, SshError } from "@postern/wire";
import { checkPermissions, type Permissions } from "./permissions.ts";

/** A yes, perhaps in part. */
export interface Acceptance {
  readonly permissions: Permissions;
  /** the methods of which one must follow */
  readonly partial: readonly string[] | undefined;
}

const known = ["partial", "permitListen", "permitOpen"];
/** Those an attempt can be made with. */
const methods: readonly unknown[] = ["publickey", "password", "keyboard-interactive"];

/**
 * Reads a decision; undefined is a no.
 *
 * @throws SshError `misuse` for anything but a boolean, permissions, or `{ partial: [methods] }`
 */
export function readDecision(given: unknown): Acceptance | undefined {
  if (given === false) return undefined;
  if (given === true) return { permissions: {}, partial: undefined };
  if (!isPlain(given))
    throw new SshError("misuse", `expected authorize to give a decision, got ${describeType(given)}`);
  checkOptions("a decision of authorize", given, known);
  const { permitListen, permitOpen } = given as Permissions;
  const permissions = { permitListen, permitOpen };
  checkPermissions(permissions);
  return { permissions, partial: "partial" in given ? expectMethods("partial", given.partial) : undefined };
}

/** @throws SshError `misuse` unless it lists methods an attempt can be made with, at least one */
export function expectMethods(what: string, given: unknown): readonly string[] {
  const names: readonly unknown[] = Array.isArray(given) ? given : [];
  const wrong = names.find((name) => !methods.includes(name));
  if (names.length > 0 && wrong === undefined) return names as readonly string[];
  const got = Array.isArray(given) && names.length === 0 ? "none" : describeType(wrong ?? given);
  throw new SshError("misuse", `expected ${what} to list methods of ${methods.join(", ")}, got ${got}`);
}

/** Whether it is an object as it is written in braces, of this realm or another: no error, array or answer of a library. */
function isPlain(given: unknown): given is object {
  if (typeof given !== "object" || given === null) return false;
  const prototype: unknown = Object.getPrototypeOf(given);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}
