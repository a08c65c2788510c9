/**
 * Reads the command line of ssh(1).
 * Longer than 300 lines, because each option has its case.
 * @module
 */
import { parseForwardSpec, parseSshDestination } from "@postern/node";
import { UsageError } from "../help/usage-error.ts";
import { ciphers, macs } from "./algorithm-names.ts";
import { inaccessible } from "./identity-option.ts";
import { escapeCharacter, forwardArguments, quoted } from "./setting-text.ts";

/** A command line of ssh. */
export interface SshCommandLine {
  /** the host or alias; its user and port are in `settings` */
  readonly destination: string | undefined;
  /** the words after the host, joined by spaces, as ssh sends them */
  readonly command: string | undefined;
  /**
   * Lines of ssh_config, ahead of the files: those of `-o`, and those that the other options stand for. The first line
   * of a keyword counts, so an option that overrides earlier ones in ssh comes before them.
   */
  readonly settings: readonly string[];
  /** lines behind the files, if these leave a keyword open: -W implies some */
  readonly defaults: readonly string[];
  /** -F */
  readonly configFile: string | undefined;
  /** -N */
  readonly noCommand: boolean;
  /** how often -f occurs */
  readonly background: number;
  /** -n */
  readonly stdinNull: boolean;
  /** -t: `yes`, -t -t: `force`, -T: `no` */
  readonly tty: "auto" | "no" | "yes" | "force";
  /** -s: the command is the name of a subsystem */
  readonly subsystem: boolean;
  readonly quiet: boolean;
  readonly verbose: 0 | 1 | 2 | 3;
  /** -E */
  readonly logFile: string | undefined;
  /** -y */
  readonly syslog: boolean;
  /** -W */
  readonly stdioForward: { readonly host: string; readonly port: number } | { readonly path: string } | undefined;
  /** -G */
  readonly printConfig: boolean;
  /** -Q; what follows it is not read */
  readonly query: string | undefined;
  /** -V; what follows it is not read */
  readonly version: boolean;
  /** -O */
  readonly controlCommand: ControlCommand | undefined;
  /** how often -M occurs */
  readonly controlMaster: number;
  /** -S */
  readonly controlPath: string | undefined;
  /** -e: a character, or `none` */
  readonly escapeChar: string | undefined;
  /** `false`: --no-reconnect */
  readonly reconnect: boolean;
  /** --log */
  readonly log: "text" | "json";
  /** --help; what follows it is not read */
  readonly help: boolean;
  /** to print on stderr, such as identity files that do not exist */
  readonly warnings: readonly string[];
}

/** The commands of -O. */
export type ControlCommand = "check" | "forward" | "cancel" | "exit" | "stop" | "proxy" | "conninfo" | "channels";

const controlCommands: readonly string[] = [
  ...["check", "forward", "cancel", "exit", "stop", "proxy", "conninfo", "channels"],
];

type Mutable<Type> = { -readonly [Name in keyof Type]: Type[Name] };

/** Letters of ssh 10, a colon after those with an argument. */
const letters = "1246ab:c:e:fgi:kl:m:no:p:qB:sD:tE:vF:xI:yJ:AL:CO:GP:KQ:MR:NS:TW:Vw:XY";

/** Options that are refused, and why. */
const refused: Readonly<Record<string, string>> = {
  A: "-A is not supported: a forwarded agent lets the server use your keys; use -J to pass through a host",
  C: "-C is not supported: compression of encrypted data reveals its content by its length",
  I: "-I is not supported: PKCS#11 libraries cannot be loaded; use an agent that holds the key",
  K: "-K is not supported: there is no GSSAPI here",
  w: "-w is not supported: tun devices cannot be forwarded",
  X: "-X is not supported: X11 is not forwarded",
  Y: "-Y is not supported: X11 is not forwarded",
};

/**
 * Parses the arguments of ssh as its getopt does: options may be joined (`-vvp2222`), and follow the host up to the
 * command. `--` ends them.
 *
 * @throws UsageError with the message of ssh
 */
export function parseSshCommandLine(args: readonly string[]): SshCommandLine {
  return new Parser(args).parse();
}

class Parser {
  readonly #args: readonly string[];
  #at = 0;
  /** The lines of options that override earlier ones, the newest first. */
  readonly #overrides: string[] = [];
  readonly #settings: string[] = [];
  #sessionType: "none" | "subsystem" | undefined;
  #jump = false;
  #isDone = false;
  readonly #warnings: string[] = [];
  readonly #line: Mutable<SshCommandLine> = {
    destination: undefined,
    command: undefined,
    settings: [],
    defaults: [],
    configFile: undefined,
    noCommand: false,
    background: 0,
    stdinNull: false,
    tty: "auto",
    subsystem: false,
    quiet: false,
    verbose: 0,
    logFile: undefined,
    syslog: false,
    stdioForward: undefined,
    printConfig: false,
    query: undefined,
    version: false,
    controlCommand: undefined,
    controlMaster: 0,
    controlPath: undefined,
    escapeChar: undefined,
    reconnect: true,
    log: "text",
    help: false,
    warnings: [],
  };

  constructor(args: readonly string[]) {
    this.#args = args;
  }

  parse(): SshCommandLine {
    const line = this.#line;
    const isTerminated = this.#options();
    if (this.#at < this.#args.length && !this.#isDone) {
      this.#destination(this.#args[this.#at++] as string);
      if (!isTerminated) this.#options();
    }
    const words = this.#isDone ? [] : this.#args.slice(this.#at);
    if (words.length > 0) line.command = words.join(" ");
    if (line.subsystem && words.length === 0 && !this.#isDone) throw usage("You must specify a subsystem to invoke.");
    return { ...line, settings: [...this.#overrides, ...this.#settings], warnings: this.#warnings };
  }

  /** Reads options up to a word that is none. Returns whether `--` ended them. */
  #options(): boolean {
    while (!this.#isDone) {
      const word = this.#args[this.#at];
      if (word === undefined || word === "-" || !word.startsWith("-")) return false;
      this.#at++;
      if (word === "--") return true;
      if (word.startsWith("--")) this.#long(word.slice(2));
      else this.#letters(word);
    }
    return false;
  }

  #letters(word: string): void {
    for (let i = 1; i < word.length && !this.#isDone; i++) {
      const letter = word[i] as string;
      const known = letter === ":" ? -1 : letters.indexOf(letter);
      if (known < 0) throw usage(`unknown option -- ${letter}`);
      if (letters[known + 1] !== ":") {
        this.#flag(letter);
        continue;
      }
      const rest = word.slice(i + 1);
      const argument = rest === "" ? this.#args[this.#at++] : rest;
      if (argument === undefined) throw usage(`option requires an argument -- ${letter}`);
      this.#option(letter, argument);
      return;
    }
  }

  #long(text: string): void {
    const [name, value] = splitOnce(text, "=");
    if (name === "help" && value === undefined) {
      this.#line.help = true;
      this.#isDone = true;
    } else if (name === "no-reconnect" && value === undefined) this.#line.reconnect = false;
    else if (name === "log") {
      const format = value ?? this.#args[this.#at++];
      if (format !== "text" && format !== "json")
        throw problem(`expected --log text or --log json, got ${JSON.stringify(format ?? "")}`);
      this.#line.log = format;
    } else throw usage(`unknown option --${name}`);
  }

  #flag(letter: string): void {
    const line = this.#line;
    const why = refused[letter];
    if (why !== undefined) throw problem(why);
    switch (letter) {
      case "1":
        throw problem("SSH protocol v.1 is no longer supported");
      case "4":
        return this.#override("AddressFamily", "inet");
      case "6":
        return this.#override("AddressFamily", "inet6");
      case "a":
        return this.#override("ForwardAgent", "no");
      case "f":
        line.background++;
        this.#override("ForkAfterAuthentication", "yes");
        return this.#override("StdinNull", "yes");
      case "g":
        return this.#override("GatewayPorts", "yes");
      case "G":
        line.printConfig = true;
        return;
      case "k":
        return this.#override("GSSAPIDelegateCredentials", "no");
      case "M":
        line.controlMaster++;
        // As ssh: a second one asks, a third one does not.
        return this.#override("ControlMaster", line.controlMaster % 2 === 0 ? "ask" : "yes");
      case "n":
        line.stdinNull = true;
        return this.#override("StdinNull", "yes");
      case "N":
        if (this.#sessionType === "subsystem") throw problem("Cannot specify -N with -s/SessionType");
        line.noCommand = true;
        this.#sessionType = "none";
        this.#override("SessionType", "none");
        return this.#tty("no");
      case "q":
        line.quiet = true;
        return this.#override("LogLevel", "QUIET");
      case "s":
        if (this.#sessionType === "none") throw problem("Cannot specify -s with -N/SessionType");
        line.subsystem = true;
        this.#sessionType = "subsystem";
        return this.#override("SessionType", "subsystem");
      case "t":
        return this.#tty(line.tty === "yes" ? "force" : "yes");
      case "T":
        return this.#tty("no");
      case "v":
        line.verbose = Math.min(3, line.verbose + 1) as 1 | 2 | 3;
        return this.#override("LogLevel", `DEBUG${line.verbose}`);
      case "V":
        line.version = true;
        this.#isDone = true;
        return;
      case "x":
        return this.#override("ForwardX11", "no");
      case "y":
        line.syslog = true;
        return;
      default:
        // -2 has no meaning any more.
        return;
    }
  }

  #option(letter: string, argument: string): void {
    const line = this.#line;
    const why = refused[letter];
    if (why !== undefined) throw problem(why);
    switch (letter) {
      case "b":
        return this.#override("BindAddress", argument);
      case "B":
        return this.#override("BindInterface", argument);
      case "c":
        if (!isKnownList(argument, ciphers)) throw problem(`Unknown cipher type '${argument}'`);
        return this.#override("Ciphers", argument);
      case "D":
        return this.#forward("DynamicForward", "dynamic", argument);
      case "e":
        line.escapeChar = escapeCharacter(argument);
        return this.#override("EscapeChar", argument);
      case "E":
        line.logFile = argument;
        return;
      case "F":
        line.configFile = argument;
        return;
      case "i":
        return this.#identity(argument);
      case "J":
        if (this.#jump)
          throw problem("Only a single -J option is permitted (use commas to separate multiple jump hops)");
        this.#jump = true;
        if (!isJumpList(argument)) throw problem("Invalid -J argument");
        return this.#add("ProxyJump", argument);
      case "l":
        if (parseSshDestination(`${argument}@host`) === undefined)
          throw problem("remote username contains invalid characters");
        return this.#user(argument);
      case "L":
        return this.#forward("LocalForward", "local", argument);
      case "m":
        if (!isKnownList(argument, macs)) throw problem(`Unknown mac type '${argument}'`);
        return this.#override("MACs", argument);
      case "o":
        this.#settings.push(argument);
        return;
      case "O":
        if (line.stdioForward !== undefined) throw problem("Cannot specify multiplexing command with -W");
        if (line.controlCommand !== undefined) throw problem("Multiplexing command already specified");
        if (!controlCommands.includes(argument)) throw problem("Invalid multiplex command.");
        line.controlCommand = argument as ControlCommand;
        return;
      case "p":
        if (!/^\d{1,5}$/.test(argument) || Number(argument) > 65_535 || Number(argument) === 0)
          throw problem(`Bad port '${argument}'`);
        return this.#add("Port", argument);
      case "P":
        return this.#add("Tag", argument);
      case "Q":
        line.query = argument;
        this.#isDone = true;
        return;
      case "R":
        return this.#forward("RemoteForward", "remote", argument);
      case "S":
        line.controlPath = argument;
        return this.#override("ControlPath", argument);
      case "W":
        return this.#stdioForward(argument);
      default:
        throw usage(`unknown option -- ${letter}`);
    }
  }

  #tty(tty: SshCommandLine["tty"]): void {
    this.#line.tty = tty;
    this.#override("RequestTTY", tty);
  }

  #stdioForward(argument: string): void {
    const line = this.#line;
    if (line.stdioForward !== undefined) throw problem("stdio forward already specified");
    if (line.controlCommand !== undefined) throw problem("Cannot specify stdio forward with -O");
    const target = parseForwardSpec(argument, "dynamic")?.listen;
    if (target === undefined) throw problem(`Bad stdio forwarding specification '${argument}'`);
    line.stdioForward = "path" in target ? target : { host: target.host ?? "", port: target.port };
    line.defaults = ["ExitOnForwardFailure=yes", "ClearAllForwardings=yes"];
    this.#sessionType = "none";
    this.#override("SessionType", "none");
    this.#tty("no");
  }

  #forward(keyword: string, kind: "local" | "remote" | "dynamic", argument: string): void {
    const forward = parseForwardSpec(argument, kind);
    if (forward === undefined) throw problem(`Bad ${kind} forwarding specification '${argument}'`);
    this.#settings.push(`${keyword}=${forwardArguments(forward)}`);
  }

  /** As ssh, which leaves a file out that does not exist. */
  #identity(path: string): void {
    const reason = inaccessible(path);
    if (reason === undefined) this.#add("IdentityFile", path);
    else this.#warnings.push(`Warning: Identity file ${path} not accessible: ${reason}.`);
  }

  #destination(text: string): void {
    const destination = parseSshDestination(text);
    if (destination === undefined) throw problemOf(text);
    const { host, user, port } = destination;
    this.#line.destination = host;
    if (user !== undefined) this.#user(user);
    if (port !== undefined) this.#add("Port", String(port));
  }

  /** As in OpenSSH, tokens are expanded in `-o User`, and not here. */
  #user(name: string): void {
    this.#add("User", name.replaceAll("%", "%%"));
  }

  /** Adds a line; an earlier one of the keyword counts. */
  #add(keyword: string, value: string): void {
    this.#settings.push(`${keyword}=${quoted(value)}`);
  }

  /** Adds a line that overrides earlier ones. */
  #override(keyword: string, value: string): void {
    this.#overrides.unshift(`${keyword}=${quoted(value)}`);
  }
}

/** The error of a value. */
function problem(message: string): UsageError {
  return new UsageError("", message);
}

/** The error of an option, after which ssh prints its usage. */
function usage(message: string): UsageError {
  return new UsageError("", message, true);
}

/** Whether at least one name of a list is known. As ssh, -c and -m look at the names and not at patterns. */
function isKnownList(list: string, known: readonly string[]): boolean {
  return (
    list.startsWith("-") ||
    list
      .replace(/^[+^]/, "")
      .split(",")
      .some((name) => known.includes(name))
  );
}

/** Whether a text can be the argument of -J: `none`, or hosts, which may be without the scheme of a URI. */
function isJumpList(text: string): boolean {
  const isHost = (part: string): boolean =>
    parseSshDestination(/^ssh:\/\//i.test(part) ? part : `ssh://${part}`) !== undefined;
  return text.toLowerCase() === "none" || text.split(",").every(isHost);
}

/** Why a destination is refused, in the words of ssh. */
function problemOf(text: string): UsageError {
  const at = text.lastIndexOf("@");
  if (at === 0 || /^ssh:\/\//i.test(text)) return usage("");
  return problem(
    parseSshDestination(text.slice(at + 1)) === undefined
      ? "hostname contains invalid characters"
      : "remote username contains invalid characters",
  );
}

function splitOnce(text: string, separator: string): readonly [string, string?] {
  const at = text.indexOf(separator);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}
