/** The options of `postern host`, read as sshd reads its own. @module */
import { splitArguments } from "./sshd-config/read-line.ts";

/** The options of a command line. */
export interface HostCommandLine {
  /** `-f`: a file in the form of sshd_config(5) */
  readonly sshdConfig: string | undefined;
  /** `--config`: a file in JSON */
  readonly config: string | undefined;
  /** the lines of `-o`, and what `-g`, `-4`, `-6` and `-c` mean, in order */
  readonly settings: readonly string[];
  /** the numbers of `-p`, which replace the ports of a configuration */
  readonly ports: readonly number[];
  /** the files of `-h` */
  readonly hostKeys: readonly string[];
  readonly test: "no" | "check" | "print";
  readonly noDaemon: boolean;
  readonly debug: 0 | 1 | 2 | 3;
  readonly logToStderr: boolean;
  readonly logFile: string | undefined;
  readonly inetd: boolean;
  readonly quiet: boolean;
  readonly version: boolean;
  /** `--workers`: the processes that serve clients */
  readonly workers: number | "auto" | undefined;
  /** `-C`: the connection that `-T` is about */
  readonly connection: Readonly<Record<string, string>> | undefined;
}

/** A command line is wrong. sshd prints the message and its usage, and exits with 1. */
export class HostUsageError extends Error {
  override readonly name = "HostUsageError";
}

const withArgument = "f h o p c E g C u b";
const switches = "4 6 D d e i q t T V r R";
/** Of `-C`. */
const attributes = ["user", "host", "addr", "laddr", "lport", "rdomain", "invalid-user"];

/** @throws HostUsageError in the words of sshd */
export function parseHostCommandLine(args: readonly string[]): HostCommandLine {
  const settings: string[] = [];
  const hostKeys: string[] = [];
  const ports: number[] = [];
  const line = {
    ...{ sshdConfig: undefined, config: undefined, logFile: undefined, connection: undefined, workers: undefined },
    ...{ test: "no", noDaemon: false, debug: 0, logToStderr: false, inetd: false, quiet: false },
    version: false,
  } as { -readonly [Name in keyof HostCommandLine]: HostCommandLine[Name] };
  const rest = [...args];
  for (let arg = rest.shift(); arg !== undefined; arg = rest.shift()) {
    if (arg.startsWith("--")) {
      const [name, inline] = splitOption(arg);
      if (name === "config") line.config = inline ?? argumentOf(rest, "config");
      else if (name === "workers") line.workers = workersOf(inline ?? argumentOf(rest, "workers"));
      else throw new HostUsageError(`unknown option -- ${name}`);
      continue;
    }
    if (!/^-./.test(arg)) throw new HostUsageError(`Extra argument ${arg}.`);
    for (let at = 1; at < arg.length; at++) {
      const letter = arg[at] as string;
      if (letter !== " " && switches.includes(letter)) {
        applySwitch(letter);
        continue;
      }
      if (letter === " " || !withArgument.includes(letter)) throw new HostUsageError(`unknown option -- ${letter}`);
      const value = arg.slice(at + 1) || argumentOf(rest, letter);
      applyValue(letter, value);
      break;
    }
  }
  return { ...line, settings, hostKeys, ports };

  function applySwitch(letter: string): void {
    if (letter === "4") settings.push("AddressFamily inet");
    else if (letter === "6") settings.push("AddressFamily inet6");
    else if (letter === "D") line.noDaemon = true;
    else if (letter === "d") line.debug = Math.min(3, line.debug + 1) as HostCommandLine["debug"];
    else if (letter === "e") line.logToStderr = true;
    else if (letter === "i") line.inetd = true;
    else if (letter === "q") line.quiet = true;
    else if (letter === "t" && line.test === "no") line.test = "check";
    else if (letter === "T") line.test = "print";
    else if (letter === "V") line.version = true;
    // -r and -R concern the processes of sshd.
  }

  function applyValue(letter: string, value: string): void {
    if (letter === "f") line.sshdConfig = value;
    else if (letter === "h") hostKeys.push(value);
    else if (letter === "o") settings.push(value);
    else if (letter === "p") ports.push(portOf(value));
    else if (letter === "c") settings.push(`HostCertificate ${value}`);
    else if (letter === "g") settings.push(`LoginGraceTime ${value}`);
    else if (letter === "E") line.logFile = value;
    else if (letter === "C") line.connection = connectionOf(value, line.connection);
    // -u is about utmp, and -b about keys of protocol 1.
  }
}

function argumentOf(rest: string[], name: string): string {
  const value = rest.shift();
  if (value === undefined) throw new HostUsageError(`option requires an argument -- ${name}`);
  return value;
}

function splitOption(arg: string): [string, string | undefined] {
  const at = arg.indexOf("=");
  return at < 0 ? [arg.slice(2), undefined] : [arg.slice(2, at), arg.slice(at + 1)];
}

function workersOf(value: string): number | "auto" {
  if (value === "auto") return value;
  const count = /^\d{1,4}$/.test(value) ? Number(value) : 0;
  if (count < 1 || count > 1024) throw new HostUsageError("Bad number of workers: expected auto, or 1 to 1024.");
  return count;
}

function portOf(value: string): number {
  const port = /^\d{1,5}$/.test(value) ? Number(value) : 0;
  if (port < 1 || port > 65_535) throw new HostUsageError("Bad port number.");
  return port;
}

function connectionOf(text: string, known: HostCommandLine["connection"]): Readonly<Record<string, string>> {
  const result: Record<string, string> = { ...known };
  for (const part of (splitArguments(text) ?? [text]).join(" ").split(",")) {
    const at = part.indexOf("=");
    const name = at < 0 ? part : part.slice(0, at);
    if (!attributes.includes(name)) throw new HostUsageError(`Invalid test mode specification ${part}`);
    result[name] = at < 0 ? "yes" : part.slice(at + 1);
  }
  return result;
}
