/** The addresses that a user may listen on and connect to, as patterns of sshd(8). @module */

import { matchPattern } from "@postern/keys";
import { describeType, expectNumber, SshError } from "@postern/wire";
import * as Limits from "@postern/wire/limits";
import { expectGatewayPorts, type GatewayPorts } from "./addresses.ts";
import { pathMatcher } from "./path-pattern.ts";

/**
 * Patterns such as `localhost:8080`, `*:*`, `[::1]:22`, or a function. Only `true` permits; a Promise does not.
 *
 * A pattern that begins with `/` permits UNIX sockets: `/run/tunnels/*`, where `*` and `?` match within one part of the
 * path, and `**` as the last part matches any further parts: `/**` is every socket. A function permits none.
 */
export type Permit = readonly string[] | ((host: string, port: number) => boolean);

/** The permissions of a user after login. */
export interface Permissions {
  /**
   * Patterns `address:port` of ports that the client may request. The address is compared as the client wrote it; `*`
   * and `?` are wildcards in it. The port may be `*`. A port alone means any address. A request for port 0, where the
   * server chooses, needs a pattern with `*`. Default: every port, and no UNIX socket.
   */
  readonly permitListen?: Permit | undefined;
  /**
   * Patterns `host:port` of `direct-tcpip` targets; `*` is any host or any port. Patterns of paths for
   * `direct-streamlocal@openssh.com`. Default: none.
   */
  readonly permitOpen?: Permit | undefined;
  /**
   * Accepts the signature of a security key that was not touched, as `no-touch-required` of sshd(8). Default: refuses
   * it. Applies to this login attempt alone.
   */
  readonly noTouchRequired?: boolean | undefined;
  /** The addresses that this client may listen on. Default: the option `gatewayPorts` of the host. */
  readonly gatewayPorts?: GatewayPorts | undefined;
  /** The lowest port that this client may listen on. Default: `lowestPort` of the host's limits. */
  readonly lowestPort?: number | undefined;
}

/** Compiled permissions. */
export interface Grants {
  readonly gatewayPorts: GatewayPorts | undefined;
  readonly lowestPort: number | undefined;
  mayListen(address: string, port: number): boolean;
  mayOpen(host: string, port: number): boolean;
  mayListenPath(path: string): boolean;
  mayOpenPath(path: string): boolean;
}

/** Grants whose answers may come from another process. */
export type ClientGrants = Pick<Grants, "gatewayPorts" | "lowestPort"> & {
  [Name in Exclude<keyof Grants, "gatewayPorts" | "lowestPort">]: (
    ...place: Parameters<Grants[Name]>
  ) => boolean | Promise<boolean>;
};

/** The property of a combined permit that has its paths. */
const paths: unique symbol = Symbol("paths");

/** A permit that was made from two others. */
type CombinedPermit = ((host: string, port: number) => boolean) & { readonly [paths]: (path: string) => boolean };

const noPath = (): boolean => false;

/** Compiles permissions. @throws SshError `misuse` if a pattern is malformed */
export function grantsOf({ permitListen, permitOpen, gatewayPorts, lowestPort }: Permissions): Grants {
  return {
    gatewayPorts,
    lowestPort,
    mayListen: permitListen === undefined ? () => true : compile(permitListen, listenMatcher),
    mayOpen: permitOpen === undefined ? () => false : compile(permitOpen, openMatcher),
    mayListenPath: permitListen === undefined ? noPath : compilePaths(permitListen),
    mayOpenPath: permitOpen === undefined ? noPath : compilePaths(permitOpen),
  };
}

/** Returns the permissions that both arguments grant: as in sshd, the options of a key only restrict. */
export function restrict(granted: Permissions, by: Permissions): Permissions {
  return {
    gatewayPorts: granted.gatewayPorts,
    lowestPort: granted.lowestPort,
    permitListen: both(granted.permitListen, by.permitListen, "listen"),
    // `permitOpen` defaults to none; restricting none leaves none.
    permitOpen: granted.permitOpen === undefined ? undefined : both(granted.permitOpen, by.permitOpen, "open"),
  };
}

/** Returns what both permit. If `other` is undefined, it restricts nothing. */
function both(one: Permit | undefined, other: Permit | undefined, kind: "listen" | "open"): Permit | undefined {
  if (other === undefined) return one;
  const matcher = kind === "listen" ? listenMatcher : openMatcher;
  // An undefined permit grants every port and no path: a function has no paths.
  if (one === undefined) return compile(other, matcher);
  const [first, second] = [compile(one, matcher), compile(other, matcher)];
  const [firstPaths, secondPaths] = [compilePaths(one), compilePaths(other)];
  const combined = (host: string, port: number): boolean => first(host, port) && second(host, port);
  return Object.assign(combined, { [paths]: (path: string) => firstPaths(path) && secondPaths(path) });
}

/** Checks the patterns. @throws SshError `misuse` if one is malformed */
export function checkPermissions({ permitListen, permitOpen, gatewayPorts, lowestPort }: Permissions): void {
  if (gatewayPorts !== undefined) expectGatewayPorts(gatewayPorts);
  if (lowestPort !== undefined) expectNumber("lowestPort", lowestPort);
  for (const [name, permit] of Object.entries({ permitListen, permitOpen })) {
    if (permit === undefined || typeof permit === "function" || Array.isArray(permit)) continue;
    throw new SshError(
      "misuse",
      `expected ${name} to be a list of patterns or a function, got ${describeType(permit)}`,
    );
  }
  grantsOf({ permitListen, permitOpen });
}

/**
 * Splits a pattern `host:port`.
 *
 * @param bare accepts a port alone
 * @throws SshError `misuse` if it is malformed
 */
export function parsePermit(pattern: string, bare: boolean): { readonly host: string; readonly port: number | "*" } {
  const option = bare ? "permitListen" : "permitOpen";
  const examples = bare ? '"localhost:8080" or "localhost:*"' : '"db.internal:5432" or "*:*"';
  const expected = `expected each pattern of ${option} to be like ${examples}`;
  if (typeof pattern !== "string") throw new SshError("misuse", `${expected}, got ${describeType(pattern)}`);
  const text = bare && !pattern.includes(":") ? `*:${pattern}` : pattern;
  const [, bracketed, plain, port = ""] = /^(?:\[([^\]]*)\]|([^:[\]]*)):(\*|\d{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  const number = port === "*" ? "*" : Number(port);
  if (host === undefined || (number !== "*" && !(number >= 1 && number <= Limits.maxPort))) {
    // The request of such a port names port 0, and the answer another one.
    const advice =
      bare && port === "0" ? `; a port that the host chooses (ssh -R 0:…) needs "${text.slice(0, -1)}*"` : "";
    throw new SshError("misuse", `${expected}, got "${pattern}"${advice}`);
  }
  return { host, port: number };
}

type Matcher = (pattern: string) => (host: string, port: number) => boolean;

const listenMatcher: Matcher = (pattern) => {
  const permitted = parsePermit(pattern, true);
  const host = permitted.host.toLowerCase();
  return (address, port) => portMatches(permitted.port, port) && matchPattern(address.toLowerCase(), host);
};

// sshd(8), permitopen: "No pattern matching or name lookup is performed".
const openMatcher: Matcher = (pattern) => {
  const permitted = parsePermit(pattern, false);
  return (host, port) => portMatches(permitted.port, port) && (permitted.host === "*" || permitted.host === host);
};

function portMatches(permitted: number | "*", port: number): boolean {
  return permitted === "*" || permitted === port;
}

function compile(permit: Permit, matcher: Matcher): (host: string, port: number) => boolean {
  // Only `true` permits, because a Promise is truthy.
  if (typeof permit === "function") return (host, port) => permit(host, port) === true;
  const matchers = permit.filter((pattern) => !isPath(pattern)).map(matcher);
  return (host, port) => matchers.some((matches) => matches(host, port));
}

function compilePaths(permit: Permit): (path: string) => boolean {
  if (typeof permit === "function") return (permit as Partial<CombinedPermit>)[paths] ?? noPath;
  const matchers = permit.filter(isPath).map(pathMatcher);
  return (path) => matchers.some((matches) => matches(path));
}

function isPath(pattern: string): boolean {
  return typeof pattern === "string" && pattern.startsWith("/");
}
