/** What `authorize` says, read with distrust: whatever is no clear yes is a no. @module */
import { checkOptions } from "@postern/ssh";
import { SshError } from "@postern/wire";
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
  if (!isPlain(given)) throw new SshError("misuse", `expected authorize to give a decision, got ${nameOf(given)}`);
  checkOptions("a decision of authorize", given, known);
  const { permitListen, permitOpen } = given as Permissions;
  const permissions = { permitListen, permitOpen };
  checkPermissions(permissions);
  return { permissions, partial: "partial" in given ? readPartial(given.partial) : undefined };
}

function readPartial(given: unknown): readonly string[] {
  const names: readonly unknown[] = Array.isArray(given) ? given : [];
  if (names.length > 0 && names.every((name) => methods.includes(name))) return names as readonly string[];
  throw new SshError("misuse", `expected partial to list methods of ${methods.join(", ")}, got something else`);
}

/** Whether it is an object as it is written in braces, of this realm or another: no error, array or answer of a library. */
function isPlain(given: unknown): given is object {
  if (typeof given !== "object" || given === null) return false;
  const prototype: unknown = Object.getPrototypeOf(given);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function nameOf(given: unknown): string {
  if (given === undefined || given === null) return String(given);
  if (typeof given !== "object") return `a ${typeof given}`;
  return given instanceof Error ? "an Error" : Array.isArray(given) ? "an array" : "an object of a class";
}
