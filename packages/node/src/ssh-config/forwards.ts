/** LocalForward, RemoteForward and DynamicForward as ssh_config(5) writes them, and -L, -R, -D and -W. @module */
import { type ConfigLine, configError } from "./config-line.ts";
import type { SshConfigEnvironment } from "./system.ts";
import { only, parsePort } from "./values.ts";

/** A TCP address to listen on, or the path of a UNIX socket. Without `host`: the default of the direction. */
export type SshConfigListen = { readonly host?: string; readonly port: number } | { readonly path: string };

/** The destination of a forwarding, or `socks`: the client of the port chooses it. */
export type SshConfigTarget = { readonly host: string; readonly port: number } | { readonly path: string } | "socks";

/** A forwarding as the file states it. */
export interface SshConfigForwardLine {
  readonly listen: SshConfigListen;
  readonly target: SshConfigTarget;
}

/** The option of ssh that a forwarding is of: -L, -R or -D. */
export type SshForwardKind = "local" | "remote" | "dynamic";

/** `[bind_address:]port host:hostport`, or paths of UNIX sockets in place of either. */
export function localForward(line: ConfigLine, env: SshConfigEnvironment): readonly SshConfigForwardLine[] {
  const [listen, target] = line.args;
  if (listen === undefined || target === undefined) throw configError(line, "Missing target argument.");
  return parse(line, `${listen}:${target}`, "local", env);
}

/** As {@link localForward}; without a target, the server's port speaks SOCKS. */
export function remoteForward(line: ConfigLine, env: SshConfigEnvironment): readonly SshConfigForwardLine[] {
  const [listen = "", target] = line.args;
  return target === undefined || target === ""
    ? parse(line, listen, "dynamic", env, 0)
    : parse(line, `${listen}:${target}`, "remote", env);
}

/** `[bind_address:]port`: a SOCKS proxy on this machine. */
export function dynamicForward(line: ConfigLine, env: SshConfigEnvironment): readonly SshConfigForwardLine[] {
  const [listen = ""] = line.args;
  only(line, 1, undefined);
  return parse(line, listen, "dynamic", env);
}

function parse(
  line: ConfigLine,
  spec: string,
  kind: SshForwardKind,
  env: SshConfigEnvironment,
  leastPort?: 0,
): readonly SshConfigForwardLine[] {
  const forward = parseSpec(spec, kind, env, leastPort ?? (kind === "remote" ? 0 : 1));
  if (forward === undefined) throw configError(line, "Bad forwarding specification.");
  return only(line, 2, [forward]);
}

/**
 * Parses the argument of -L, -R or -D of ssh: `[bind_address:]port:host:hostport`, with the path of a UNIX socket in
 * place of either side; for -D, and for -R that makes the server's port speak SOCKS, `[bind_address:]port`. Brackets
 * enclose an IPv6 address, and a backslash precedes a colon that does not separate. Returns `undefined` for other text,
 * and for a variable that is not set.
 */
export function parseForwardSpec(
  spec: string,
  kind: SshForwardKind,
  env: SshConfigEnvironment = process.env,
): SshConfigForwardLine | undefined {
  if (kind !== "remote") return parseSpec(spec, kind, env, 1);
  return parseSpec(spec, kind, env, 0) ?? parseSpec(spec, "dynamic", env, 0);
}

interface Field {
  readonly text: string;
  readonly isPath: boolean;
}

/** As OpenSSH's parse_forward. */
function parseSpec(
  spec: string,
  kind: SshForwardKind,
  env: SshConfigEnvironment,
  leastPort: 0 | 1,
): SshConfigForwardLine | undefined {
  const expanded = expandVariables(spec, env);
  const fields = expanded === undefined ? undefined : splitFields(expanded.trimStart());
  if (fields === undefined || (expanded as string).length > 2 * longestField) return undefined;
  const count = listenFields(fields);
  const listen = listenOf(fields.slice(0, count), leastPort);
  const target = fields.slice(count);
  if (listen === undefined) return undefined;
  if (kind === "dynamic") return target.length === 0 ? { listen, target: "socks" } : undefined;
  const destination = targetOf(target);
  return destination === undefined ? undefined : { listen, target: destination };
}

/** Longer names and paths than this are refused. */
const longestField = 1024;

/** The number of fields before the target. */
function listenFields(fields: readonly Field[]): number {
  const [first, second] = fields;
  switch (fields.length) {
    case 1:
      return 1;
    case 2:
      return first?.isPath || second?.isPath ? 1 : 2;
    case 3:
      return first?.isPath || !fields[2]?.isPath ? 1 : 2;
    default:
      return 2;
  }
}

function listenOf(fields: readonly Field[], leastPort: 0 | 1): SshConfigListen | undefined {
  const [first, second] = fields;
  if (first === undefined || first.text.length > longestField) return undefined;
  if (fields.length === 1 && first.isPath) return { path: first.text };
  const port = parsePort((second ?? first).text);
  if (port === undefined || port < leastPort) return undefined;
  return second === undefined ? { port } : { host: first.text, port };
}

function targetOf(fields: readonly Field[]): Exclude<SshConfigTarget, "socks"> | undefined {
  const [first, second] = fields;
  if (first === undefined || first.text === "" || first.text.length > longestField) return undefined;
  if (fields.length === 1) return first.isPath ? { path: first.text } : undefined;
  const port = parsePort(second?.text ?? "");
  return port === undefined || port === 0 || fields.length > 2 ? undefined : { host: first.text, port };
}

/** Splits at colons, up to four fields. A field in brackets is literal; elsewhere a backslash is. */
function splitFields(text: string): readonly Field[] | undefined {
  const fields: Field[] = [];
  let at = 0;
  while (at < text.length) {
    if (fields.length === 4) return undefined;
    const field = text[at] === "[" ? bracketField(text, at) : plainField(text, at);
    if (field === undefined) return undefined;
    fields.push(field);
    at = field.end;
  }
  return fields;
}

function bracketField(text: string, start: number): (Field & { readonly end: number }) | undefined {
  const end = text.indexOf("]", start);
  const next = text[end + 1];
  if (end < 0 || (next !== undefined && next !== ":")) return undefined;
  const inside = text.slice(start + 1, end);
  return { text: inside, isPath: inside.includes("/"), end: end + 2 };
}

function plainField(text: string, start: number): (Field & { readonly end: number }) | undefined {
  const parts: string[] = [];
  let isPath = false;
  let i = start;
  for (; i < text.length && text[i] !== ":"; i++) {
    if (text[i] === "/") isPath = true;
    if (text[i] === "\\" && ++i === text.length) return undefined;
    parts.push(text[i] as string);
  }
  return { text: parts.join(""), isPath, end: i + 1 };
}

/** Returns `undefined` if a variable is not set, or a brace not closed. */
function expandVariables(text: string, env: SshConfigEnvironment): string | undefined {
  let isValid = true;
  const expanded = text.replace(/\$\{([^}]*)(\}?)/g, (_all, name: string, end: string) => {
    const value: unknown = Object.hasOwn(env, name) ? env[name] : undefined;
    if (end === "" || name === "" || typeof value !== "string") isValid = false;
    return String(value);
  });
  return isValid ? expanded : undefined;
}

/** `host:port`, `[host]:port`, `port`. An IPv6 address needs brackets. */
export function splitHostPort(text: string): { readonly host?: string; readonly port: number | undefined } {
  if (text.startsWith("[")) {
    const end = text.indexOf("]");
    const isClosed = end > 0 && text[end + 1] === ":";
    return { host: text.slice(1, end), port: isClosed ? parsePort(text.slice(end + 2)) : undefined };
  }
  const colon = text.indexOf(":");
  if (colon < 0) return { port: parsePort(text) };
  return { host: text.slice(0, colon), port: parsePort(text.slice(colon + 1)) };
}
