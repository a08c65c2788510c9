/** The values of keywords about the session, logs and the platform. Errors are in the words of ssh. @module */
import { quote, SshError } from "@postern/wire";
import { type ConfigLine, configError, plain } from "./config-line.ts";
import type { SshConfigEnvironment } from "./system.ts";
import { choice, integer, only, parsePort, seconds, word, words } from "./values.ts";

/** The levels of ssh -v and LogLevel, from the quietest. */
const logLevels = [
  "SILENT",
  "QUIET",
  "FATAL",
  "ERROR",
  "INFO",
  "VERBOSE",
  "DEBUG",
  "DEBUG1",
  "DEBUG2",
  "DEBUG3",
] as const;

/** A value of LogLevel. `SILENT` is `QUIET`, and `DEBUG` is `DEBUG1`. */
export type SshConfigLogLevel = Exclude<(typeof logLevels)[number], "DEBUG" | "SILENT">;

/** LogLevel. */
export function logLevel(line: ConfigLine): SshConfigLogLevel {
  const given = word(line);
  const level = logLevels.find((one) => one === given.toUpperCase());
  if (level === undefined) throw configError(line, `unsupported log level '${plain(given)}'`);
  if (level === "SILENT") return "QUIET";
  return level === "DEBUG" ? "DEBUG1" : level;
}

const facilities = ["DAEMON", "USER", "AUTH", "AUTHPRIV", ...Array.from({ length: 8 }, (_, i) => `LOCAL${i}`)];

/** SyslogFacility. */
export function syslogFacility(line: ConfigLine): string {
  const given = word(line);
  const facility = facilities.find((one) => one === given.toUpperCase());
  if (facility === undefined) throw configError(line, `unsupported log facility '${plain(given)}'`);
  return facility;
}

/** EscapeChar: a character, `^X` for a control character, or `none`. */
export function escapeChar(line: ConfigLine): string {
  const given = word(line);
  if (given === "none" || (given.length === 1 && given.charCodeAt(0) < 256)) return given;
  const [, letter] = /^\^([@-\x7f])$/.exec(given) ?? [];
  if (letter === undefined) throw configError(line, "Bad escape character.");
  return String.fromCharCode(letter.charCodeAt(0) & 31);
}

/** Whether keys are added to the agent, and for how long. */
export interface SshConfigAddKeysToAgent {
  readonly mode: "yes" | "no" | "ask" | "confirm";
  /** seconds; 0: without limit */
  readonly lifetime: number;
}

/** AddKeysToAgent: `yes`, `no`, `ask`, `confirm`, `confirm TIME` or a time. */
export function addKeysToAgent(line: ConfigLine): SshConfigAddKeysToAgent {
  const [first = "", lifetime] = words(line);
  only(line, 2, undefined);
  const lower = first.toLowerCase();
  const mode = ({ true: "yes", false: "no" } as const)[lower] ?? lower;
  if (mode === "yes" || mode === "no" || mode === "ask" || mode === "confirm") {
    if (lifetime !== undefined && mode !== "confirm") throw configError(line, "unsupported option");
    return { mode, lifetime: lifetime === undefined ? 0 : seconds(line, lifetime) };
  }
  if (lifetime !== undefined) throw configError(line, "unsupported option");
  return { mode: "yes", lifetime: seconds(line, first, "unsupported option") };
}

/** When channels of a type are closed because nothing passes. */
export interface SshConfigChannelTimeout {
  /** such as `session` or `direct-tcpip`, with wildcards */
  readonly type: string;
  /** 0: never */
  readonly seconds: number;
}

/** ChannelTimeout: `type=interval`, or `none`. */
export function channelTimeout(line: ConfigLine): readonly SshConfigChannelTimeout[] {
  return loneNone(line).map((given) => {
    const equals = given.indexOf("=");
    if (equals <= 0) throw configError(line, `invalid channel timeout ${plain(given)}`);
    return { type: given.slice(0, equals), seconds: seconds(line, given.slice(equals + 1)) };
  });
}

/** Words, of which `none` has to be the only one. `none` is an empty list. */
function loneNone(line: ConfigLine): readonly string[] {
  const given = words(line);
  const hasNone = given.some((one) => one.toLowerCase() === "none");
  if (hasNone && given.length > 1) throw alone(line, "none");
  return hasNone ? [] : given;
}

function alone(line: ConfigLine, value: string) {
  return configError(line, `keyword ${line.keyword} "${value}" argument must appear alone.`);
}

/** LogVerbose. Only its first word counts, as in OpenSSH. */
export function logVerbose(line: ConfigLine): readonly string[] {
  return loneNone(line).slice(0, 1);
}

/** CanonicalDomains. */
export function canonicalDomains(line: ConfigLine): readonly string[] {
  for (const domain of loneNone(line)) {
    // Letters, digits and what OpenSSH permits beside them.
    if (!/^[a-z0-9][a-z0-9._-]*$/i.test(domain) || domain.includes("..") || domain.length > 255)
      throw configError(line, `domain name ${quote(domain, 60)} contains invalid characters`);
  }
  return loneNone(line);
}

/** CanonicalizePermittedCNAMEs: `sources:targets`, `*` or `none`. */
export function permittedCnames(line: ConfigLine): readonly string[] {
  return loneNone(line).map((given) => {
    const colon = given.indexOf(":");
    if (given !== "*" && (colon < 0 || colon === given.length - 1))
      throw configError(line, `Invalid permitted CNAME ${quote(given, 60)}`);
    return given === "*" ? "*:*" : given.toLowerCase();
  });
}

/** PermitRemoteOpen: `host:port`, `any` or `none`. */
export function permitRemoteOpen(line: ConfigLine): readonly string[] {
  const given = words(line);
  for (const one of given) {
    const lower = one.toLowerCase();
    if (lower === "any" || lower === "none") {
      if (given.length > 1) throw alone(line, one);
      continue;
    }
    const [, port] = /^(?:\[[^\]]+\]|[^:[\]]*):(\*|\d{1,5})$/.exec(one) ?? [];
    if (port === undefined || (port !== "*" && (parsePort(port) ?? 0) === 0))
      throw configError(line, `bad port number in ${line.keyword}`);
  }
  return given[0]?.toLowerCase() === "any" ? [] : given;
}

/** Types of service: for interactive sessions, and for everything else. */
export interface SshConfigIPQoS {
  readonly interactive: string;
  readonly bulk: string;
}

const codepoints = [1, 2, 3, 4].flatMap((one) => [1, 2, 3].map((drop) => `af${one}${drop}`));
const classes = Array.from({ length: 8 }, (_, i) => `cs${i}`);
const services = [...codepoints, ...classes, "ef", "le", "lowdelay", "throughput", "reliability", "none"];

/** IPQoS: one or two names or numbers. */
export function ipQoS(line: ConfigLine): SshConfigIPQoS {
  const [first = "", second = first] = words(line);
  return only(line, 2, { interactive: service(line, first), bulk: service(line, second) });
}

function service(line: ConfigLine, given: string): string {
  const name = services.find((one) => one === given.toLowerCase());
  if (name !== undefined) return name;
  const value = /^(?:0x[\da-f]{1,2}|\d{1,3})$/i.test(given) ? Number(given) : Number.NaN;
  if (!(value >= 0 && value <= 255)) throw configError(line, `Bad IPQoS value: ${plain(given)}`);
  return serviceNumbers().get(value) ?? `0x${value.toString(16).padStart(2, "0")}`;
}

/** RFC 2474, RFC 2597, RFC 3246, RFC 8622, and RFC 791 for the oldest. */
function serviceNumbers(): ReadonlyMap<number, string> {
  return new Map([
    ...codepoints.map((name, i) => [(8 * (1 + Math.floor(i / 3)) + 2 * (1 + (i % 3))) << 2, name] as const),
    ...classes.map((name, i) => [i << 5, name] as const),
    [0xb8, "ef"],
    [0x04, "le"],
    [0x10, "lowdelay"],
    [0x08, "throughput"],
  ]);
}

/** ObscureKeystrokeTiming: `yes`, `no` or `interval:MILLISECONDS`. */
export function obscureKeystrokeTiming(line: ConfigLine): number {
  const given = word(line);
  if (given === "yes" || given === "true") return defaultKeystrokeMs;
  if (given === "no" || given === "false") return 0;
  const [, digits] = /^interval:(\d{1,9})$/.exec(given) ?? [];
  const value = Number(digits);
  if (digits === undefined) throw configError(line, `unsupported argument ${quote(given, 60)}`);
  if (value < 1 || value > 1000) throw configError(line, "value out of range.");
  return value;
}

/** The interval of ObscureKeystrokeTiming `yes`. */
const defaultKeystrokeMs = 20;

/** StreamLocalBindMask: an octal number. */
export function bindMask(line: ConfigLine): number {
  const given = word(line);
  if (!/^[0-7]{1,8}$/.test(given) || Number.parseInt(given, 8) > 0o777) throw configError(line, "Bad mask.");
  return Number.parseInt(given, 8);
}

/** ForwardAgent: `yes`, `no`, a path, or `$VARIABLE`. */
export function agentSocket(line: ConfigLine, env: SshConfigEnvironment): boolean | string {
  const given = word(line);
  const lower = given.toLowerCase();
  if (lower === "yes" || lower === "true") return true;
  if (lower === "no" || lower === "false") return false;
  return agentPath(line, env);
}

/** IdentityAgent: a path, a variable, or `none`. */
export function agentPath(line: ConfigLine, env: SshConfigEnvironment): string {
  const given = word(line);
  for (const [, name = ""] of given.matchAll(/\$\{([^}]*)\}?/g))
    if (!Object.hasOwn(env, name)) throw configError(line, `Invalid environment expansion ${plain(given)}.`);
  if (/^\$[^{]/.test(given) && !/^\$[a-z_][a-z0-9_]*$/i.test(given))
    throw configError(line, `Invalid environment name ${plain(given)}.`);
  return given;
}

/** FingerprintHash. */
export function fingerprintHash(line: ConfigLine): "MD5" | "SHA1" | "SHA256" | "SHA384" | "SHA512" {
  const given = word(line);
  const known = ["MD5", "SHA1", "SHA256", "SHA384", "SHA512"] as const;
  const found = known.find((one) => one === given.toUpperCase());
  if (found === undefined) throw configError(line, `Invalid hash algorithm ${quote(given, 60)}.`);
  return found;
}

/** Numbers of tun devices here and there. */
export interface SshConfigTunnelDevice {
  readonly local: number | "any";
  readonly remote: number | "any";
}

/** TunnelDevice: `local[:remote]`, numbers or `any`. */
export function tunnelDevice(line: ConfigLine): SshConfigTunnelDevice {
  const given = word(line);
  const [local, remote = "any", ...more] = given.split(":").map((text) => {
    if (text.toLowerCase() === "any") return "any";
    return /^\d{1,9}$/.test(text) ? Number(text) : undefined;
  });
  if (local === undefined || remote === undefined || more.length > 0) throw configError(line, "Bad tun device.");
  return { local, remote };
}

/** Tunnel. */
export function tunnelMode(line: ConfigLine): "yes" | "no" | "point-to-point" | "ethernet" {
  return choice(line, ["yes", "no", "point-to-point", "ethernet"]);
}

/** ConnectionAttempts: at least one. */
export function attempts(line: ConfigLine): number {
  const value = integer(line);
  if (value === 0) throw new SshError("misuse", "Invalid number of ConnectionAttempts");
  return value;
}

/** VersionAddendum: the rest of the line, or `none`. */
export function versionAddendum(line: ConfigLine): string {
  const text = line.rest.replace(/[ \t]*#.*$/s, "");
  if (/[\r\n]/.test(text)) throw configError(line, "Invalid VersionAddendum argument");
  return text.toLowerCase() === "none" ? "" : text;
}
