/** The values of ssh_config keywords: one function for each form, which checks what OpenSSH checks. @module */
import { matchPattern } from "@postern/keys";
import { quote } from "@postern/wire";
import * as Limits from "@postern/wire/limits";
import { type ConfigLine, configError, plain } from "./config-line.ts";

/** Most entries of a list that accumulates over lines, as in OpenSSH. */
const mostEntries = 100;
const mostInteger = 2 ** 31 - 1;

/** The only argument of a line. @throws SshError `misuse` if it is empty, or another one follows */
export function word(line: ConfigLine): string {
  const [value = ""] = line.args;
  if (value === "") throw configError(line, "Missing argument.");
  return only(line, 1, value);
}

/** All arguments of a line. @throws SshError `misuse` if there is none, or one is empty */
export function words(line: ConfigLine): readonly string[] {
  if (line.args.length === 0 || line.args.includes(""))
    throw configError(line, `expected arguments after ${line.keyword}, got an empty one`);
  if (line.args.length > mostEntries)
    throw configError(line, `expected at most ${mostEntries} arguments after ${line.keyword}, got ${line.args.length}`);
  return line.args;
}

/** File names, of which `none` has to be the only one. */
export function files(line: ConfigLine): readonly string[] {
  const names = words(line);
  if (names.length > 1 && names.some((name) => name.toLowerCase() === "none"))
    throw configError(line, `expected "none" to be the only argument of ${line.keyword}, got others too`);
  return names;
}

/** A command: the rest of the line, with its quotes, and without regard to `#`. */
export function command(line: ConfigLine): string {
  return line.rest;
}

/** `yes` or `no`, which may be written `true` and `false`. */
export function flag(line: ConfigLine): boolean {
  return choice(line, ["yes", "no"]) === "yes";
}

/** One of some words, without regard to case. `true` and `false` are other words for `yes` and `no`. */
export function choice<Word extends string>(line: ConfigLine, allowed: readonly Word[]): Word {
  const given = word(line);
  const lower = given.toLowerCase();
  const plain = lower === "true" ? "yes" : lower === "false" ? "no" : lower;
  const found = allowed.find((one) => one === plain);
  if (found === undefined) throw configError(line, `unsupported option ${quote(given, 60)}.`);
  return found;
}

/** A decimal integer of at least 0. */
export function integer(line: ConfigLine): number {
  const given = word(line);
  const value = decimal(given);
  if (value === undefined || value > mostInteger) throw configError(line, "integer value invalid.");
  return value;
}

/** A port from 1 to 65535. */
export function port(line: ConfigLine): number {
  const given = word(line);
  const value = parsePort(given);
  if (value === undefined || value === 0) throw configError(line, `Bad port '${plain(given)}'.`);
  return value;
}

/** Seconds, in the format of sshd_config(5): `90`, `1m30s`, `2w`. `none` is `undefined`. */
export function time(line: ConfigLine): number | undefined {
  const given = word(line);
  return given.toLowerCase() === "none" ? undefined : seconds(line, given);
}

/** A time of a line. @throws SshError `misuse` with `problem`, unless the text is a time */
export function seconds(line: ConfigLine, given: string, problem = "invalid time value."): number {
  const units: Readonly<Record<string, number>> = { "": 1, s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };
  let total = 0;
  let isValid = given !== "" && given.length <= 64 && /^\d+(?:[smhdw]\d+)*[smhdw]?$/i.test(given);
  for (const [, digits = "", unit = ""] of isValid ? given.matchAll(/(\d+)([smhdw]?)/gi) : []) {
    total += Number(digits) * (units[unit.toLowerCase()] ?? 1);
  }
  isValid &&= total <= mostInteger;
  if (!isValid) throw configError(line, problem);
  return total;
}

/** When to exchange new keys. 0 stands for the default. */
export interface SshConfigRekeyLimit {
  readonly bytes: number;
  readonly seconds: number;
}

/** RekeyLimit: an amount of data, such as `1G`, and a time. */
export function rekeyLimit(line: ConfigLine): SshConfigRekeyLimit {
  const [size = "", period] = words(line);
  only(line, 2, undefined);
  const bytes = size.toLowerCase() === "default" ? 0 : scaled(line, size);
  if (bytes > 0 && bytes < 16) throw configError(line, "RekeyLimit too small");
  const isTimed = period !== undefined && period.toLowerCase() !== "none";
  return { bytes, seconds: isTimed ? seconds(line, period) : 0 };
}

/** ControlPersist: `yes`, `no`, or seconds. */
export function persistence(line: ConfigLine): boolean | number {
  const given = word(line).toLowerCase();
  if (given === "yes" || given === "true") return true;
  return given === "no" || given === "false" ? false : seconds(line, given, "Bad ControlPersist argument.");
}

/** Names or patterns of environment variables; `-` before one removes earlier ones. */
export function variableNames(line: ConfigLine): readonly string[] {
  const names = words(line);
  if (names.some((name) => name.includes("="))) throw configError(line, "Invalid environment name.");
  return names;
}

/** `NAME=value` arguments. The first value of a name counts. Errors do not repeat values, which may be secrets. */
export function variables(line: ConfigLine): Readonly<Record<string, string>> {
  const result = new Map<string, string>();
  for (const pair of words(line)) {
    const equals = pair.indexOf("=");
    if (equals <= 0) throw configError(line, "Invalid SetEnv.");
    const name = pair.slice(0, equals);
    if (!result.has(name)) result.set(name, pair.slice(equals + 1));
  }
  return Object.fromEntries(result);
}

/** Adds to the entries of earlier lines what they do not have yet, up to the limit of OpenSSH. */
export function addEntries(line: ConfigLine, before: readonly string[], added: readonly string[]): readonly string[] {
  return checkCount(line, [...new Set([...before, ...added])]);
}

/** SendEnv: a pattern after `-` removes the names of earlier lines that it matches. */
export function addVariableNames(
  line: ConfigLine,
  before: readonly string[],
  added: readonly string[],
): readonly string[] {
  let names = [...before];
  for (const name of added) {
    if (name.startsWith("-")) names = names.filter((one) => !matchPattern(one, name.slice(1)));
    else if (!names.includes(name)) names.push(name);
  }
  return checkCount(line, names);
}

/** @throws SshError `misuse` if there are more entries than OpenSSH takes */
export function checkCount<Entry>(line: ConfigLine, entries: readonly Entry[]): readonly Entry[] {
  if (entries.length > mostEntries)
    throw configError(line, `expected at most ${mostEntries} entries of ${line.keyword}, got ${entries.length}`);
  return entries;
}

/** Returns a port number, 0 included, or `undefined` for any other text. */
export function parsePort(text: string): number | undefined {
  const value = decimal(text);
  return value === undefined || value > Limits.maxPort ? undefined : value;
}

function decimal(text: string): number | undefined {
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

function scaled(line: ConfigLine, given: string): number {
  const factors: Readonly<Record<string, number>> = { K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 };
  const [, amount, unit = ""] = /^(\d{1,15}(?:\.\d{1,15})?)([KMGT]?)$/i.exec(given) ?? [];
  const value = Math.floor(Number(amount) * (factors[unit.toUpperCase()] ?? 1));
  if (amount === undefined || value > Number.MAX_SAFE_INTEGER)
    throw configError(line, `Bad number '${plain(given)}': Invalid argument`);
  return value;
}

/** @throws SshError `misuse` if a line has more arguments */
export function only<Value>(line: ConfigLine, count: number, value: Value): Value {
  if (line.args.length > count) throw configError(line, `keyword ${line.keyword} extra arguments at end of line`);
  return value;
}
