/** What a user may listen on and connect to, in the patterns of sshd(8). @module */
import { describeType, RfcLimits, SshError } from "@postern/wire";
import { matchPattern } from "./ip.ts";

/** Patterns such as `localhost:8080`, `*:*`, `[::1]:22`, or a function that permits by `true`, at once: a Promise does not permit. */
export type Permit = readonly string[] | ((host: string, port: number) => boolean);

/** What a successful login allows. */
export interface Permissions {
  /**
   * `address:port` as the client may request them, word for word; `*` is any port, and `*` and `?` are wildcards in the address; a port
   * alone is any address. Port 0, where the host chooses, needs a pattern with any port. Default: everything.
   */
  readonly permitListen?: Permit | undefined;
  /** `host:port` the client may connect to through the host (`direct-tcpip`); `*` is any host or any port. Default: nothing. */
  readonly permitOpen?: Permit | undefined;
}

/** Permissions made ready to be asked. */
export interface Grants {
  mayListen(address: string, port: number): boolean;
  mayOpen(host: string, port: number): boolean;
}

/** @throws SshError `misuse` when a pattern is malformed */
export function grantsOf({ permitListen, permitOpen }: Permissions): Grants {
  return {
    mayListen: permitListen === undefined ? () => true : compile(permitListen, listenMatcher),
    mayOpen: permitOpen === undefined ? () => false : compile(permitOpen, openMatcher),
  };
}

/** What is left of permissions when others apply as well: these only ever take away, as the options of a key do for sshd. */
export function restrict(granted: Permissions, by: Permissions): Permissions {
  return {
    permitListen: both(granted.permitListen, by.permitListen, "listen"),
    // Nothing is what stands for no word about it, and of nothing nothing is left.
    permitOpen: granted.permitOpen === undefined ? undefined : both(granted.permitOpen, by.permitOpen, "open"),
  };
}

/** Allows what both allow; one that says nothing leaves it to the other. */
function both(one: Permit | undefined, other: Permit | undefined, kind: "listen" | "open"): Permit | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  const matcher = kind === "listen" ? listenMatcher : openMatcher;
  const [first, second] = [compile(one, matcher), compile(other, matcher)];
  return (host, port) => first(host, port) && second(host, port);
}

/** Checks patterns without asking them anything. @throws SshError `misuse` when one is malformed */
export function checkPermissions({ permitListen, permitOpen }: Permissions): void {
  for (const [name, permit] of Object.entries({ permitListen, permitOpen })) {
    if (permit === undefined || typeof permit === "function" || Array.isArray(permit)) continue;
    throw new SshError(
      "misuse",
      `expected ${name} to be a list of patterns or a function, got ${describeType(permit)}`,
    );
  }
  grantsOf({ permitListen, permitOpen });
}

/** The two parts of `host:port`. @throws SshError `misuse` when it is malformed */
export function parsePermit(pattern: string, bare: boolean): { readonly host: string; readonly port: number | "*" } {
  if (typeof pattern !== "string") {
    throw new SshError("misuse", `expected a pattern such as "localhost:8080" or "*:*", got ${describeType(pattern)}`);
  }
  const text = bare && !pattern.includes(":") ? `*:${pattern}` : pattern;
  const [, bracketed, plain, port = ""] = /^(?:\[([^\]]*)\]|([^:[\]]*)):(\*|\d{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  const number = port === "*" ? "*" : Number(port);
  if (host === undefined || (number !== "*" && !(number >= 1 && number <= RfcLimits.maxPort))) {
    throw new SshError("misuse", `expected a pattern such as "localhost:8080" or "*:*", got "${pattern}"`);
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
  // Anything but true is a refusal: a Promise must not permit.
  if (typeof permit === "function") return (host, port) => permit(host, port) === true;
  const matchers = permit.map(matcher);
  return (host, port) => matchers.some((matches) => matches(host, port));
}
