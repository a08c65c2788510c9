/** The decision about a login: the types of `authorize`, and strict reading of what it returned. @module */
import type { MaybePromise } from "@postern/auth";
import type { Certificate } from "@postern/crypto";
import { checkOptions, type LoginAttempt } from "@postern/ssh";
import { describeType, SshError } from "@postern/wire";
import type { HostClient } from "./client-view.ts";
import { checkPermissions, type Permissions } from "./permissions.ts";
import type { Address } from "./platform.ts";

/** An attempt to log in. */
export type HostLoginAttempt = LoginAttempt & {
  /** The client that tries to log in. A TunnelHost always sets it. */
  readonly client?: HostClient | undefined;
  /** The client's address. `undefined` if the pipe was served without an `origin`. */
  readonly origin: Address | undefined;
  /**
   * The certificate in `publicKey`. Its CA's signature is valid, but nothing else is checked, not even that the CA is
   * trusted: see `authorizedKeys` and `checkCertificate`.
   */
  readonly certificate?: Certificate | undefined;
  /** Call it with the reason before returning `false`. It becomes a part of the event `refusal`. */
  readonly onRefused?: (reason: string) => void;
};

/** Accepts the method, and requires another one (partial success, RFC 4252 section 5.1). */
export interface PartialDecision extends Permissions {
  /**
   * The methods that may follow; one of them must succeed. They are advertised to the client, not enforced: a client
   * may start with any of the server's `methods`. A function that accepts the second method must therefore check
   * `attempt.passed`, the methods already accepted on this connection. A key that was accepted is refused if it is
   * offered again. Permissions set here restrict what the last method grants.
   *
   * @example
   * // Requires a key and then a password.
   * const authorize: Authorize = (attempt) => {
   *   if (attempt.method === "publickey") return isKnown(attempt.publicKey) && { partial: ["password"] };
   *   return attempt.method === "password" && attempt.passed.includes("publickey") && isRight(attempt.password);
   * };
   * // With the option `methods: ["publickey"]` no client can even try a password before its key was accepted.
   */
  readonly partial: readonly string[];
}

/** `true` grants the default permissions. Any other value than these refuses and fires `refusal` with the reason. */
export type HostDecision = boolean | Permissions | PartialDecision;

/**
 * Decides who may log in. If it throws, the attempt is refused. `methods` lists the methods that it can accept.
 * Long-running work should stop when `attempt.signal` fires, because the client has disconnected.
 */
export interface Authorize {
  (attempt: HostLoginAttempt): MaybePromise<HostDecision>;
  readonly methods?: readonly string[];
}

/** An accepted attempt. */
export interface Acceptance {
  readonly permissions: Permissions;
  /** The methods that may follow, if the success is partial. */
  readonly partial: readonly string[] | undefined;
}

const decisionOptions = ["partial", "permitListen", "permitOpen", "noTouchRequired", "gatewayPorts", "lowestPort"];
const acceptableMethods: readonly unknown[] = ["publickey", "password", "keyboard-interactive"];

/**
 * Reads a decision. Returns `undefined` if it is `false`.
 *
 * @throws SshError `misuse` for anything but a boolean, permissions, or `{ partial: [methods] }`
 */
export function readDecision(given: unknown): Acceptance | undefined {
  if (given === false) return undefined;
  if (given === true) return { permissions: {}, partial: undefined };
  if (!isPlainObject(given))
    throw new SshError("misuse", `expected authorize to return a decision, got ${describeType(given)}`);
  checkOptions("a decision of authorize", given, decisionOptions);
  const { permitListen, permitOpen, noTouchRequired, gatewayPorts, lowestPort } = given as Permissions;
  const permissions = { permitListen, permitOpen, gatewayPorts, lowestPort, noTouchRequired: noTouchRequired === true };
  checkPermissions(permissions);
  return { permissions, partial: "partial" in given ? expectMethods("partial", given.partial) : undefined };
}

/** @throws SshError `misuse` unless the value is a non-empty list of methods that `authorize` can accept */
export function expectMethods(what: string, given: unknown): readonly string[] {
  const names: readonly unknown[] = Array.isArray(given) ? given : [];
  const wrong = names.find((name) => !acceptableMethods.includes(name));
  if (names.length > 0 && wrong === undefined) return names as readonly string[];
  const got = Array.isArray(given) && names.length === 0 ? "none" : describeType(wrong ?? given);
  throw new SshError("misuse", `expected ${what} to list methods of ${acceptableMethods.join(", ")}, got ${got}`);
}

/** Whether the value is an object literal of any realm: an error or a library's response must not count as a yes. */
function isPlainObject(given: unknown): given is object {
  if (typeof given !== "object" || given === null) return false;
  const prototype: unknown = Object.getPrototypeOf(given);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}
