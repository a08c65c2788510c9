/** Tokens such as `%h`, variables such as `${HOME}`, and `~`, as ssh_config(5) expands them. @module */
import { quote } from "@postern/wire";
import { configError, type SshConfigPosition } from "./config-line.ts";
import type { ConfigSystem, SshConfigEnvironment } from "./system.ts";

/** The longest result of an expansion. */
const longestText = 64 * 1024;

/** The values of tokens, by letter. */
export type SshConfigTokens = Readonly<Record<string, string>>;

/** The names that identify a connection. */
export interface ConnectionNames {
  /** as on the command line */
  readonly originalHost: string;
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly hostKeyAlias: string | undefined;
  /** ProxyJump as written, or an empty text */
  readonly jump: string;
}

/** Returns the tokens that file names and Match exec accept. */
export function connectionTokens(names: ConnectionNames, system: ConfigSystem): SshConfigTokens {
  const { originalHost, host, user, hostKeyAlias, jump } = names;
  const port = String(names.port);
  const { localHost, home, uid, localUser } = system;
  return {
    C: system.sha1Hex(`${localHost}${host}${port}${user}${jump}`),
    d: home,
    h: host,
    i: String(uid),
    j: jump,
    k: hostKeyAlias ?? originalHost,
    L: localHost.split(".", 1)[0] ?? "",
    l: localHost,
    n: originalHost,
    p: port,
    r: user,
    u: localUser,
  };
}

/**
 * Expands tokens, `%%`, and with `env` variables. Expanded text is not expanded again.
 *
 * @throws SshError `misuse` for a token that the keyword does not accept, or a variable that is not set
 */
export function expand(
  text: string,
  at: SshConfigPosition,
  tokens: SshConfigTokens,
  env?: SshConfigEnvironment,
): string {
  const parts: string[] = [];
  let length = 0;
  let from = 0;
  for (let i = 0; i < text.length; i++) {
    const found = text[i] === "%" ? token(text, i, at, tokens) : env && variable(text, i, at, env);
    if (found === undefined) continue;
    parts.push(text.slice(from, i), found.value);
    length += i - from + found.value.length;
    if (length > longestText) throw configError(at, `expected at most ${longestText} characters after expansion`);
    from = found.end;
    i = found.end - 1;
  }
  return parts.join("") + text.slice(from);
}

interface Found {
  readonly value: string;
  readonly end: number;
}

function token(text: string, i: number, at: SshConfigPosition, tokens: SshConfigTokens): Found {
  const letter = text[i + 1] ?? "";
  const value = letter === "%" ? "%" : Object.hasOwn(tokens, letter) ? tokens[letter] : undefined;
  if (value === undefined) {
    const known = ["%", ...Object.keys(tokens)].map((one) => `%${one}`).join(" ");
    throw configError(at, `expected one of ${known}, got ${quote(`%${letter}`)}`);
  }
  return { value, end: i + 2 };
}

function variable(text: string, i: number, at: SshConfigPosition, env: SshConfigEnvironment): Found | undefined {
  if (text[i] !== "$" || text[i + 1] !== "{") return undefined;
  const end = text.indexOf("}", i);
  const name = end < 0 ? "" : text.slice(i + 2, end);
  const value = environmentVariable(env, name);
  if (value === undefined) throw configError(at, `expected the environment variable ${quote(name, 60)} to be set`);
  return { value, end: end + 1 };
}

/** Returns the value of a variable. Inherited properties, such as `constructor`, are no texts. */
export function environmentVariable(env: SshConfigEnvironment, name: string): string | undefined {
  const value: unknown = env[name];
  return name !== "" && typeof value === "string" ? value : undefined;
}

/** Expands `~` and `~user` at the start of a path. @throws SshError `misuse` for a user who does not exist */
export async function expandTilde(path: string, at: SshConfigPosition, system: ConfigSystem): Promise<string> {
  if (!path.startsWith("~")) return path;
  const end = path.search(/[/\\]/);
  const user = path.slice(1, end < 0 ? undefined : end);
  const rest = end < 0 ? "" : path.slice(end);
  const home = user === "" ? system.home : await system.homeOf(user);
  if (home === undefined) throw configError(at, `expected ${quote(`~${user}`, 60)} to be a user of this machine`);
  // As OpenSSH: `~` alone is the home with a slash.
  return home.replace(/\/$/, "") + (rest === "" ? "/" : rest);
}
