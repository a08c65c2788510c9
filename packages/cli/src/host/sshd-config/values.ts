/** Checks the arguments of a keyword as sshd does, and returns them as `sshd -T` prints them. @module */

import { logFacilities, logLevels } from "../log-levels.ts";
import { algorithmKinds, isKnownAlgorithm } from "./algorithm-names.ts";
import { BadLineError, HostConfigError } from "./config-error.ts";
import type { Keyword } from "./keywords.ts";
import { isUserPattern } from "./match.ts";
import { parsePort, parseTime } from "./numbers.ts";
import type { SshdConfigLine } from "./read-line.ts";

/** The most words of a list. */
const mostWords = 4096;

/**
 * Returns the values of a line.
 *
 * @throws BadLineError for a line that sshd counts; HostConfigError for one that ends sshd at once
 */
export function valuesOf(keyword: Keyword, line: SshdConfigLine): readonly string[] {
  const { form } = keyword;
  const values = readForm(keyword, line);
  const { use } = keyword;
  if (typeof use === "object" && !use.refusedUnless.includes(values.join(" ").toLowerCase()))
    throw fatal(line, `unsupported option ${keyword.name}: ${keyword.note ?? "this host does not have it"}.`);
  const isList = form === "words" || form === "lines" || form === "text" || form === "special";
  if (!isList && line.args.length > 1)
    throw new BadLineError(`${line.file} line ${line.line}: keyword ${line.keyword} extra arguments at end of line`);
  if (keyword.name === "AllowUsers" || keyword.name === "DenyUsers") expectUserPatterns(keyword.name, line);
  return values;
}

/** A pattern that never matches would let in whom DenyUsers is about. */
function expectUserPatterns(name: string, line: SshdConfigLine): void {
  const bad = line.args.find((one) => !isUserPattern(one));
  if (bad !== undefined) throw fatal(line, `invalid ${name} pattern: "${bad}"`);
}

function readForm(keyword: Keyword, line: SshdConfigLine): readonly string[] {
  const { form, name } = keyword;
  const { args, rest } = line;
  const [word = ""] = args;
  if (args.length === 0) throw fatal(line, "missing argument.");
  if (args.length > mostWords) throw fatal(line, `too many arguments of ${name}.`);
  switch (form) {
    case "flag":
      return [choiceOf(line, word, ["yes", "no"])];
    case "integer":
      if (!/^\d{1,9}$/.test(word)) throw fatal(line, `${name} integer value ${word === "" ? "missing" : "invalid"}.`);
      return [String(Number(word))];
    case "time":
      return [timeOf(line, word)];
    case "octal":
      if (!/^[0-7]{1,4}$/.test(word)) throw fatal(line, `Invalid ${name}.`);
      return [`0${Number.parseInt(word, 8).toString(8)}`];
    case "word":
      return [word];
    case "text":
      return [rest];
    case "words":
    case "lines":
      return args;
    case "level":
      if (!logLevels.includes(word.toUpperCase())) throw fatal(line, `unsupported log level '${word}'`);
      return [word.toUpperCase()];
    case "facility":
      if (!(word.toUpperCase() in logFacilities)) throw fatal(line, `unsupported log facility '${word}'`);
      return [word.toUpperCase()];
    case "algorithms":
      return [algorithmsOf(keyword, line, word)];
    case "special":
      return special(name, line);
    default:
      return [choiceOf(line, word, form.choice)];
  }
}

function special(name: string, line: SshdConfigLine): readonly string[] {
  const { args } = line;
  const [word = ""] = args;
  switch (name) {
    case "Port":
      only(line, 1);
      if (!parsePort(word)) throw fatal(line, "Badly formatted port number.");
      return [String(Number(word))];
    case "ListenAddress":
      if (args[1] !== undefined) throw fatal(line, `unsupported option "${args[1]}" of ListenAddress.`);
      if (splitHostPort(word) === undefined) throw fatal(line, "bad address:port usage");
      return [word];
    case "MaxStartups": {
      only(line, 1);
      const [, start = "", rate = "", full = ""] = /^(\d{1,6})(?::(\d{1,3}):(\d{1,6}))?$/.exec(word) ?? [];
      const isRange = rate === "" || (Number(start) <= Number(full) && Number(rate) >= 1 && Number(rate) <= 100);
      if (Number(start) < 1 || !isRange) throw fatal(line, "Invalid MaxStartups spec.");
      return [
        rate === "" ? `${Number(start)}:30:${Number(start)}` : `${Number(start)}:${Number(rate)}:${Number(full)}`,
      ];
    }
    case "PerSourceMaxStartups":
      only(line, 1);
      if (word.toLowerCase() !== "none" && !/^\d{1,9}$/.test(word)) throw fatal(line, "Invalid PerSourceMaxStartups.");
      return [word.toLowerCase()];
    case "PerSourceNetBlockSize": {
      only(line, 1);
      const [, ipv4 = "", ipv6 = "128"] = /^(\d{1,2})(?::(\d{1,3}))?$/.exec(word) ?? [];
      if (ipv4 === "" || Number(ipv4) > 32 || Number(ipv6) > 128) throw fatal(line, "Invalid PerSourceNetBlockSize.");
      return [`${Number(ipv4)}:${Number(ipv6)}`];
    }
    case "PerSourcePenalties":
      return penaltiesOf(line);
    case "RekeyLimit":
      return rekeyLimitOf(line);
    case "PermitOpen":
    case "PermitListen":
      return permitsOf(line, name === "PermitListen");
    case "AuthenticationMethods":
      return authenticationMethodsOf(line);
    default:
      return args;
  }
}

/** The units of PerSourcePenalties, and other words that it has. */
const penaltyTimes = ["crash", "authfail", "invaliduser", "noauth", "grace-exceeded", "refuseconnection", "max", "min"];

function penaltiesOf(line: SshdConfigLine): readonly string[] {
  const { args } = line;
  const [word = ""] = args;
  if (["yes", "no"].includes(word.toLowerCase())) {
    only(line, 1);
    return [word.toLowerCase()];
  }
  return args.map((arg) => {
    const [, name = "", value = ""] = /^([a-z\d-]+):(.*)$/i.exec(arg) ?? [];
    const lower = name.toLowerCase();
    if (penaltyTimes.includes(lower)) {
      if (parseTime(value) === undefined) throw fatal(line, `invalid PerSourcePenalties time.`);
      return `${lower}:${parseTime(value)}`;
    }
    const isCount = ["max-sources4", "max-sources6"].includes(lower) && /^[1-9]\d{0,7}$/.test(value);
    const isPolicy = ["overflow", "overflow6"].includes(lower) && ["deny-all", "permissive"].includes(value);
    if (!isCount && !isPolicy) throw fatal(line, `unsupported PerSourcePenalties keyword ${arg}`);
    return `${lower}:${value}`;
  });
}

function rekeyLimitOf(line: SshdConfigLine): readonly string[] {
  const { args } = line;
  only(line, 2);
  const [size = "", period = "none"] = args;
  let bytes = 0;
  if (size.toLowerCase() !== "default") {
    const [, amount = "", unit = ""] = /^(\d{1,12}(?:\.\d{1,6})?)([KMG]?)$/i.exec(size) ?? [];
    bytes = Math.floor(Number(amount) * ({ K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 }[unit.toUpperCase()] ?? 1));
    if (amount === "" || !Number.isSafeInteger(bytes)) throw fatal(line, `Bad number '${size}'`);
    if (bytes !== 0 && bytes < 16) throw fatal(line, "RekeyLimit too small");
  }
  const seconds = period.toLowerCase() === "none" ? 0 : parseTime(period);
  if (seconds === undefined) throw fatal(line, "invalid time value.");
  return [String(bytes), String(seconds)];
}

function permitsOf(line: SshdConfigLine, mayBeBare: boolean): readonly string[] {
  const { args } = line;
  const [word = ""] = args;
  if (["any", "none"].includes(word.toLowerCase()) && args.length === 1) return [word.toLowerCase()];
  const name = mayBeBare ? "PermitListen" : "PermitOpen";
  return args.map((arg) => {
    const isBare = mayBeBare && !arg.includes(":");
    const { host = "", port = "" } = splitHostPort(isBare ? `*:${arg}` : arg) ?? {};
    if (host === "") throw fatal(line, `${name}: missing hostname`);
    if (port !== "*" && !parsePort(port)) throw fatal(line, `${name} bad port number`);
    return `${host.includes(":") ? `[${host}]` : host}:${port}`;
  });
}

const methodNames = ["publickey", "password", "keyboard-interactive", "hostbased", "gssapi-with-mic"];

function authenticationMethodsOf(line: SshdConfigLine): readonly string[] {
  const { args } = line;
  if (args.length === 1 && ["any", "none"].includes(args[0] ?? "")) return args;
  for (const list of args) {
    const isList = list.split(",").every((one) => methodNames.includes(one.replace(/:[a-z]+$/, "")));
    if (!isList) throw fatal(line, `Unknown authentication method "${list}" in list`);
  }
  return args;
}

function algorithmsOf({ name }: Keyword, line: SshdConfigLine, word: string): string {
  const kind = algorithmKinds[name];
  if (kind === undefined) return word;
  const names = word.replace(/^[+^-]/, "").split(",");
  if (names.every((one) => isKnownAlgorithm(kind.kind, one))) return word;
  throw fatal(line, `${kind.problem} '${word}'.`);
}

function choiceOf(line: SshdConfigLine, word: string, choices: readonly string[]): string {
  const lower = word.toLowerCase();
  const plain = lower === "true" ? "yes" : lower === "false" ? "no" : lower;
  const known = choices.find((one) => one.toLowerCase() === plain);
  if (known !== undefined) return known;
  throw fatal(line, `unsupported option "${word}".`);
}

function timeOf(line: SshdConfigLine, word: string): string {
  if (word.toLowerCase() === "none") return "none";
  const seconds = parseTime(word);
  if (seconds === undefined) throw fatal(line, "invalid time value.");
  return String(seconds);
}

/** Splits `host:port`, `[host]:port`, or a host alone. `undefined` if it is malformed. */
export function splitHostPort(text: string): { readonly host: string; readonly port: string | undefined } | undefined {
  // An IPv6 address without brackets has no port.
  if (/^[\da-f:.]*:[\da-f:.]*:[\da-f:.]*$/i.test(text)) return { host: text, port: undefined };
  const [whole, bracketed, plain, port] = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::(\d{1,5}|\*))?$/.exec(text) ?? [];
  if (whole === undefined) return undefined;
  return { host: bracketed ?? plain ?? "", port };
}

function only(line: SshdConfigLine, count: number): void {
  if (line.args.length > count)
    throw new BadLineError(`${line.file} line ${line.line}: keyword ${line.keyword} extra arguments at end of line`);
}

/** The error of a line that ends sshd at once. */
export function fatal({ file, line }: Pick<SshdConfigLine, "file" | "line">, problem: string): HostConfigError {
  return new HostConfigError(`${file} line ${line}: ${problem}`);
}
