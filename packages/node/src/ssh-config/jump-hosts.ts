/** ProxyJump: the hosts to connect through, in order. @module */
import { quote } from "@postern/wire";
import { type ConfigLine, configError } from "./config-line.ts";
import { splitHostPort } from "./forwards.ts";
import { word } from "./values.ts";

/** A host to connect to, as on the command line of ssh. */
export interface SshDestination {
  readonly host: string;
  readonly user?: string;
  readonly port?: number;
}

/** More hops than this are refused. */
export const mostHops = 16;

/**
 * `[user@]host[:port]` or `ssh://…`, separated by commas; `none` is an empty list. As in OpenSSH, a file may name hosts
 * with any printable characters, and a command line only those that no shell interprets.
 */
export function jumpHosts(line: ConfigLine): readonly SshDestination[] {
  const text = word(line);
  // Quotes may enclose the whole value. OpenSSH reads others as a part of the name, and refuses that.
  const isTrusted = line.line > 0;
  if (!isTrusted && /['"]/.test(line.rest.replace(/^(["'])(.*)\1$/, "$2")))
    throw configError(line, `Invalid ProxyJump ${quote(line.rest, 80)}`);
  if (text.toLowerCase() === "none") return [];
  const parts = text.split(",", mostHops + 1);
  if (parts.length > mostHops) throw configError(line, `expected at most ${mostHops} jump hosts, got more`);
  return parts.map((part) => {
    const hop = parseDestination(part, isTrusted);
    if (hop === undefined) throw configError(line, `Invalid ProxyJump ${quote(part, 80)}`);
    return hop;
  });
}

/** Parses `[user@]host[:port]` or `ssh://[user@]host[:port]`. Returns `undefined` for any other text. */
function parseDestination(text: string, isTrusted = false): SshDestination | undefined {
  const isUri = text.slice(0, 6).toLowerCase() === "ssh://";
  const { user, rest } = isUri ? splitUriUser(text.slice(6).replace(/\/$/, "")) : splitUser(text);
  const isPlain = !rest.includes(":") || (rest.startsWith("[") && rest.endsWith("]"));
  const { host = rest, port } = isPlain ? plainHost(rest) : splitHostPort(rest);
  if (!(isTrusted ? isPrintable(host) : isHostName(host)) || port === 0 || (port === undefined && !isPlain))
    return undefined;
  const decoded = isUri && user !== undefined ? decodeUser(user) : user;
  if (decoded !== undefined && !(isTrusted ? isPrintable(decoded) : isUserName(decoded))) return undefined;
  return { host, ...(decoded !== undefined && { user: decoded }), ...(port !== undefined && { port }) };
}

/** The parameters after a semicolon have no meaning in OpenSSH. */
function splitUriUser(text: string): { readonly user?: string; readonly rest: string } {
  const at = text.indexOf("@");
  return at < 0 ? { rest: text } : { user: text.slice(0, at).replace(/;.*/s, ""), rest: text.slice(at + 1) };
}

/**
 * Parses the destination of a command line: a host or alias, after `user@` if it is set, or a URI with the scheme
 * `ssh`. Returns `undefined` for any other text.
 */
export function parseSshDestination(text: string): SshDestination | undefined {
  if (text.slice(0, 6).toLowerCase() === "ssh://") return parseDestination(text);
  const { user, rest: host } = splitUser(text);
  if ((user !== undefined && !isUserName(user)) || !isHostName(host)) return undefined;
  return user === undefined ? { host } : { host, user };
}

/** A host without a port; an IPv6 address has brackets. */
function plainHost(text: string): { readonly host: string; readonly port: undefined } {
  return { host: text.replace(/^\[|\]$/g, ""), port: undefined };
}

function splitUser(text: string): { readonly user?: string; readonly rest: string } {
  const at = text.lastIndexOf("@");
  return at < 0 ? { rest: text } : { user: text.slice(0, at), rest: text.slice(at + 1) };
}

/**
 * Returns whether a host name has no white space, no control character, no character that a shell interprets, and no
 * dash at the start.
 */
export function isHostName(host: string): boolean {
  const isPlain = /^[^\s"'`$\\;&<>|(){}/,-][^\s"'`$\\;&<>|(){}/,]*$/.test(host);
  return host.length <= 1024 && isPlain && !/\p{Cc}/u.test(host);
}

/**
 * Returns whether a user name that does not come from the file may become a part of a command, as OpenSSH checks since
 * CVE-2023-51385: a dash after white space would begin an option.
 */
export function isUserName(user: string): boolean {
  const isPlain = /^[^\s"'`$;&<>|(){}-][^"'`$;&<>|(){}]*$/.test(user);
  return user.length <= 1024 && isPlain && !/\p{Cc}|\s-|\\$/u.test(user);
}

function isPrintable(text: string): boolean {
  return text.length <= 1024 && /^[^\s-]\S*$/.test(text) && !/\p{Cc}/u.test(text);
}

function decodeUser(user: string): string {
  try {
    return decodeURIComponent(user);
  } catch {
    return user;
  }
}
