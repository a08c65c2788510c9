/** The criteria of Match lines. @module */
import { version } from "@postern/ssh";
import { quote } from "@postern/wire";
import { type ConfigLine, configError } from "./config-line.ts";
import { matchesHostList, matchesPatternList } from "./patterns.ts";

/** The names with which a Match line is compared. */
export interface MatchSubject {
  readonly host: string;
  readonly originalHost: string;
  readonly user: string;
  readonly localUser: string;
  readonly tag: string;
  /** the command of the session; empty for none or a shell */
  readonly command: string;
  readonly sessionType: "none" | "subsystem" | "exec" | "shell";
  /** whether this is the second pass, which `canonical` and `final` match */
  readonly isFinal: boolean;
}

/** The effects of a Match line, besides its result. */
export interface MatchActions {
  /** `final` occurs, so a second pass is needed. */
  readonly requestFinal: () => void;
  /** Runs a command. Called only if the criteria before it match. */
  readonly exec: (command: string) => Promise<boolean>;
}

/**
 * Returns whether all criteria of a Match line match.
 *
 * @throws SshError `misuse` for a criterion that is unknown or has no argument
 */
export async function matchesCriteria(
  line: ConfigLine,
  subject: MatchSubject,
  actions: MatchActions,
): Promise<boolean> {
  const words = [...line.args];
  let result = true;
  for (let count = 0; words.length > 0; count++) {
    const { name, isNegated } = takeName(words);
    if (name === "all") {
      // It may follow one criterion: canonical or final.
      if (count > 1 || words.length > 0)
        throw configError(line, "expected no other criteria beside all in a Match line");
      return result && !isNegated;
    }
    let matches: boolean;
    if (name === "final" || name === "canonical") {
      if (name === "final") actions.requestFinal();
      matches = subject.isFinal;
    } else {
      const argument = words.shift();
      const mayBeEmpty = name === "tagged" || name === "command";
      if (argument === undefined || (argument === "" && !mayBeEmpty))
        throw configError(line, `expected an argument after the Match criterion ${quote(name, 60)}, got none`);
      // A command is not run if the line cannot match any more.
      if (name === "exec") matches = result ? await actions.exec(argument) : true;
      else matches = matchesOne(line, name, argument, subject);
    }
    if (matches === isNegated) result = false;
  }
  return result;
}

/** Takes the name of a criterion. `name=argument` is split, as OpenSSH does. */
function takeName(words: string[]): { readonly name: string; readonly isNegated: boolean } {
  const word = words.shift() ?? "";
  const equals = word.indexOf("=");
  if (equals >= 0 && equals < word.length - 1) words.unshift(word.slice(equals + 1));
  const written = (equals < 0 ? word : word.slice(0, equals)).toLowerCase();
  return written.startsWith("!") ? { name: written.slice(1), isNegated: true } : { name: written, isNegated: false };
}

function matchesOne(line: ConfigLine, name: string, argument: string, subject: MatchSubject): boolean {
  switch (name) {
    case "host":
      return matchesHostList(subject.host, argument);
    case "originalhost":
      return matchesHostList(subject.originalHost, argument);
    case "user":
      return matchesPatternList(subject.user, argument);
    case "localuser":
      return matchesPatternList(subject.localUser, argument);
    case "tagged":
      return matchesMaybeEmpty(subject.tag, argument);
    case "command":
      return matchesMaybeEmpty(subject.command, argument);
    case "sessiontype":
      return matchesPatternList(subject.sessionType, argument);
    case "localnetwork":
      return isLocalNetwork(line, argument);
    case "version":
      return matchesPatternList(`Postern_${version}`, argument);
    default:
      throw configError(
        line,
        `Unsupported Match attribute ${quote(name, 60)}: expected all, canonical, final, host, originalhost, user, localuser, localnetwork, tagged, exec, command, sessiontype or version`,
      );
  }
}

/** An empty text matches only an empty argument. */
function matchesMaybeEmpty(text: string, argument: string): boolean {
  return text === "" ? argument === "" : matchesPatternList(text, argument);
}

/** Returns whether an interface of this machine has an address in one of the networks, such as `10.0.0.0/8,::1`. */
function isLocalNetwork(line: ConfigLine, list: string): boolean {
  const { BlockList, isIP } = process.getBuiltinModule("node:net");
  const networks = new BlockList();
  for (const text of list.split(",")) {
    const [address = "", prefix] = text.split("/");
    const family = isIP(address);
    const bits = family === 4 ? 32 : 128;
    const length = prefix === undefined ? bits : /^\d{1,3}$/.test(prefix) ? Number(prefix) : bits + 1;
    if (family === 0 || length > bits)
      throw configError(
        line,
        `expected Match localnetwork to name networks such as 10.0.0.0/8, got ${quote(text, 60)}`,
      );
    networks.addSubnet(address, length, family === 4 ? "ipv4" : "ipv6");
  }
  const interfaces = process.getBuiltinModule("node:os").networkInterfaces();
  return Object.values(interfaces).some((addresses) =>
    addresses?.some(({ address, family }) => networks.check(address, family === "IPv4" ? "ipv4" : "ipv6")),
  );
}
