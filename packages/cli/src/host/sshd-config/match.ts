/** The conditions of Match blocks, and the patterns of AllowUsers and its kin: sshd_config(5). @module */
import { AddressList } from "@postern/host";
import { matchPattern } from "@postern/keys";
import { HostConfigError } from "./config-error.ts";
import type { SshdConfigLine } from "./read-line.ts";

/** The connection and user that Match blocks are about. */
export interface MatchSubject {
  readonly user: string;
  /** The user has no account. */
  readonly isInvalid: boolean;
  readonly groups: readonly string[];
  /** the host name, or the address without a name */
  readonly host: string;
  readonly address: string;
  readonly localAddress: string;
  readonly localPort: number;
}

/** One condition of a Match line. */
type Condition = (subject: MatchSubject) => boolean;

/** A Match line: all of its conditions must hold. */
export interface MatchBlock {
  matches(subject: MatchSubject): boolean;
  /** Whether a condition needs the groups of the user, which take a command to find out. */
  readonly needsGroups: boolean;
}

/** @throws HostConfigError in the words of sshd */
export function readMatch({ file, line, args }: SshdConfigLine): MatchBlock {
  const bad = (detail: string): HostConfigError =>
    new HostConfigError(`${detail}\n${file} line ${line}: Bad Match condition`);
  const conditions: Condition[] = [];
  let needsGroups = false;
  for (let i = 0; i < args.length; i++) {
    const word = args[i] ?? "";
    const [attribute = "", inline] = word.includes("=") ? splitOnce(word, "=") : [word];
    const name = attribute.toLowerCase();
    if (name === "all") {
      if (args.length > 1) throw bad("'all' cannot be combined with other Match attributes");
      conditions.push(() => true);
      continue;
    }
    if (name === "invalid-user") {
      conditions.push(({ isInvalid }) => isInvalid);
      continue;
    }
    const value = inline ?? args[++i] ?? "";
    if (value === "") throw bad(`Missing Match criteria for ${attribute}`);
    needsGroups ||= name === "group";
    const condition = conditionOf(name, value);
    if (condition === undefined) throw bad(`Unsupported Match attribute ${attribute}`);
    if (condition === "malformed") throw bad(`Invalid Match ${name} list`);
    conditions.push(condition);
  }
  if (conditions.length === 0) throw bad("One or more attributes required for Match");
  return { needsGroups, matches: (subject) => conditions.every((holds) => holds(subject)) };
}

function conditionOf(name: string, value: string): Condition | "malformed" | undefined {
  switch (name) {
    case "user":
      return ({ user }) => matchesList(user, value);
    case "group":
      return ({ groups }) => groups.some((group) => matchesList(group, value)) && !isExcluded(groups, value);
    case "host":
      return ({ host }) => matchesList(host.toLowerCase(), value.toLowerCase());
    case "address":
    case "localaddress": {
      const list = addressList(value);
      if (list === undefined) return "malformed";
      return ({ address, localAddress }) => list.includes(name === "address" ? address : localAddress);
    }
    case "localport":
      return /^\d{1,5}$/.test(value) ? ({ localPort }) => localPort === Number(value) : "malformed";
    case "rdomain":
      return () => false;
    default:
      return undefined;
  }
}

/** Whether a text matches a list of patterns and none of those after `!`: ssh_config(5), PATTERNS. */
export function matchesList(text: string, list: string): boolean {
  const patterns = list.split(",");
  if (patterns.some((one) => one.startsWith("!") && matchPattern(text, one.slice(1)))) return false;
  return patterns.some((one) => !one.startsWith("!") && matchPattern(text, one));
}

function isExcluded(groups: readonly string[], list: string): boolean {
  const excluded = list.split(",").filter((one) => one.startsWith("!"));
  return groups.some((group) => excluded.some((one) => matchPattern(group, one.slice(1))));
}

/** Whether a user is in AllowUsers or DenyUsers: `USER` or `USER@HOST`, where HOST may be an address or network. */
export function matchesUser(pattern: string, { user, host, address }: MatchSubject): boolean {
  const at = pattern.lastIndexOf("@");
  if (at < 0) return matchPattern(user, pattern);
  if (!matchPattern(user, pattern.slice(0, at))) return false;
  const place = pattern.slice(at + 1);
  return addressList(place)?.includes(address) === true || matchPattern(host.toLowerCase(), place.toLowerCase());
}

/** Whether a pattern of AllowUsers or DenyUsers can match: a network has no bits beyond its mask. */
export function isUserPattern(pattern: string): boolean {
  const at = pattern.lastIndexOf("@");
  return at < 0 || addressList(pattern.slice(at + 1)) !== undefined;
}

function addressList(text: string): AddressList | undefined {
  try {
    return new AddressList(text);
  } catch {
    return undefined;
  }
}

function splitOnce(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return [text.slice(0, at), text.slice(at + 1)];
}
