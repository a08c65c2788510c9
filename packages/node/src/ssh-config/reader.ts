/**
 * Applies configuration files to one host: which lines are in force, and which of their values count.
 * Longer than 300 lines, because files, settings and both passes share the state of the host.
 * @module
 */
import { SshError } from "@postern/wire";
import { ConfigFiles, ConfigLimits, type ReadRequest } from "./config-files.ts";
import {
  type ConfigLine,
  configError,
  parseConfigLine,
  type SshConfigPosition,
  unknownKeyword,
} from "./config-line.ts";
import { checkOther, createKeywordLookup, keywordRules, type SshConfigValues } from "./keywords.ts";
import { type MatchActions, type MatchSubject, matchesCriteria } from "./match.ts";
import { matchesPatternList, matchesPatterns } from "./patterns.ts";
import type { ConfigSystem } from "./system.ts";
import { connectionTokens, expand, expandTilde, type SshConfigTokens } from "./tokens.ts";
import { words } from "./values.ts";

/** A line that is in force for the host, and whose value counts. */
export interface SshConfigSetting extends SshConfigPosition {
  /** as OpenSSH names it, in lower case, such as `hostname` */
  readonly keyword: string;
}

/** Options of a {@link ConfigReader}. */
export interface ReaderOptions {
  readonly system: ConfigSystem;
  /** the host or alias, as on the command line */
  readonly originalHost: string;
  /** values that have precedence over the files, as on the command line */
  readonly given: Partial<SshConfigValues>;
  /** the command of the session, empty for a shell; `undefined`: there is no session */
  readonly command: string | undefined;
  readonly allowExec: boolean;
  readonly signal: AbortSignal | undefined;
}

/** A configuration file, and how to read it. */
export interface ConfigFile extends ReadRequest {
  readonly path: string;
  /** Relative paths in Include are in ~/.ssh rather than in the system's folder, and `~` is permitted. */
  readonly isUsers: boolean;
}

/** The state that the lines of a file change. */
interface Scope {
  readonly file: ConfigFile;
  readonly depth: number;
  /** in a block that does not match, where no Host or Match line does either */
  readonly neverMatches: boolean;
  isActive: boolean;
}

/** Where OpenSSH says that a line of `-o` is. */
const commandLine = { file: "command-line", line: 0 } as const;
/** As in the messages of ssh, which names Match so, too. */
const titles = { host: "Host", match: "Host", include: "Include" } as const;

/** Reads the files, twice if Match final requires it. */
export class ConfigReader {
  /** the values so far */
  values: Partial<SshConfigValues>;
  readonly #options: ReaderOptions;
  readonly #files: ConfigFiles;
  readonly #lookup = createKeywordLookup();
  readonly #settings = new Map<string, SshConfigSetting>();
  readonly #positions = new Map<string, SshConfigPosition>();
  readonly #ignoredUnknown: string[] = [];
  #pass: { readonly host: string; readonly isFinal: boolean };
  #wantsFinal = false;
  #isHostKnown = false;

  constructor(options: ReaderOptions) {
    this.#options = options;
    this.values = { ...options.given };
    this.#files = new ConfigFiles(options.system.isWindows);
    this.#pass = { host: options.originalHost, isFinal: false };
  }

  /** The list of IgnoreUnknown. */
  get ignoreUnknown(): string | undefined {
    return this.#ignoredUnknown.length > 0 ? this.#ignoredUnknown.join(",") : undefined;
  }

  /** The settings in force, in the order of the files. */
  get settings(): readonly SshConfigSetting[] {
    return [...this.#settings.values()];
  }

  /**
   * Applies the lines of a command line.
   *
   * @throws SshError `misuse`, with `command-line line 0`
   */
  async readSettings(lines: readonly string[]): Promise<void> {
    const file = { path: commandLine.file, isUsers: true, checksPermissions: false };
    for (const text of lines) {
      const line = parseConfigLine(text, commandLine);
      if (line === undefined) continue;
      const { keyword } = line;
      if (keyword === "host" || keyword === "match" || keyword === "include")
        throw new SshError("misuse", `${titles[keyword]} directive not supported as a command-line option`);
      await this.#apply(line, { file, depth: 0, neverMatches: false, isActive: true });
    }
  }

  /**
   * Reads the files in order. The first value of a keyword counts, so the user's file comes first.
   *
   * @returns whether a file does not exist
   * @throws SshError `misuse` with file and line
   */
  async read(files: readonly ConfigFile[]): Promise<boolean> {
    let isComplete = true;
    for (const file of files)
      isComplete = (await this.#readFile({ file, depth: 0, neverMatches: false, isActive: true })) && isComplete;
    return isComplete;
  }

  /**
   * Determines the host name, and reads the files again if Match final or CanonicalizeHostname requires it. In this
   * pass, Host and Match host compare with the host name.
   */
  async readFinal(files: readonly ConfigFile[]): Promise<void> {
    const { canonicalizeHostname = "no" } = this.values;
    const host = this.hostName().toLowerCase();
    // A HostName in the second pass comes too late.
    this.#isHostKnown = true;
    this.values = { ...this.values, hostName: host };
    if (!this.#wantsFinal && (canonicalizeHostname === "no" || canonicalizeHostname === "none")) return;
    this.#pass = { host, isFinal: true };
    await this.read(files);
  }

  /** Returns where a keyword was set, for errors. */
  positionOf(name: keyof SshConfigValues): SshConfigPosition {
    return this.#positions.get(name) ?? { file: "the options", line: 0 };
  }

  /** The name to connect to. @throws SshError `misuse` for tokens other than `%h` in HostName */
  hostName(): string {
    const { originalHost } = this.#options;
    const { hostName } = this.values;
    if (hostName === undefined || this.#isHostKnown) return hostName ?? originalHost;
    return expand(hostName, this.positionOf("hostName"), { h: originalHost });
  }

  /** Expands tokens and variables in User, as OpenSSH 10.0 and newer, once all files are read. */
  expandUser(): void {
    const { user } = this.values;
    if (user === undefined || this.#options.given.user !== undefined || !/[%$]/.test(user)) return;
    const { r: _user, C: _hash, ...tokens } = this.tokens();
    const expanded = expand(user, this.positionOf("user"), tokens, this.#options.system.env);
    if (expanded !== user && /\p{Cc}/u.test(expanded))
      throw new SshError("misuse", "remote username contains invalid characters");
    this.values = { ...this.values, user: expanded };
  }

  /** The tokens of file names and commands. */
  tokens(): SshConfigTokens {
    const { system, originalHost } = this.#options;
    const { user = system.localUser, port = 22, hostKeyAlias, proxyJump = [] } = this.values;
    const jump = proxyJump
      .map(
        ({ host, user: as, port: at }) =>
          `${as === undefined ? "" : `${as}@`}${host}${at === undefined ? "" : `:${at}`}`,
      )
      .join(",");
    return connectionTokens({ originalHost, host: this.hostName(), port, user, hostKeyAlias, jump }, system);
  }

  async #readFile(scope: Scope): Promise<boolean> {
    const { path } = scope.file;
    this.#options.signal?.throwIfAborted();
    if (scope.depth > ConfigLimits.depth) {
      const problem = `expected Include to be nested at most ${ConfigLimits.depth} deep; does a file include itself?`;
      throw configError(scope.file.includedBy ?? { file: path, line: 1 }, problem);
    }
    const lines = await this.#files.lines(path, scope.file);
    for (const [index, text] of (lines ?? []).entries()) {
      const line = parseConfigLine(text, { file: path, line: index + 1 });
      if (line !== undefined) await this.#apply(line, scope);
    }
    return lines !== undefined;
  }

  async #apply(line: ConfigLine, scope: Scope): Promise<void> {
    switch (line.keyword) {
      case "host":
        scope.isActive = matchesPatterns(this.#pass.host, words(line)) && !scope.neverMatches;
        return;
      case "match":
        scope.isActive = (await this.#matches(line, scope)) && !scope.neverMatches;
        return;
      case "include":
        return this.#include(line, scope);
      case "ignoreunknown":
        // OpenSSH uses the first list, also for lines that are not in force.
        if (scope.isActive && this.#ignoredUnknown.length === 0) this.#ignoredUnknown.push(...words(line));
        return;
      default:
        this.#set(line, scope.isActive);
    }
  }

  #set(line: ConfigLine, isActive: boolean): void {
    const kind = this.#lookup(line.keyword);
    switch (kind.at) {
      case "value":
        this.#setValue(line, kind.name, isActive);
        return;
      case "other":
        checkOther(line);
        if (isActive) this.#record(line.keyword, line);
        return;
      case "unknown":
        if (!this.#ignoredUnknown.some((list) => matchesPatternList(line.keyword, list.toLowerCase())))
          throw unknownKeyword(line);
        if (isActive) this.#record(line.keyword, line);
        return;
      default:
        kind satisfies never;
    }
  }

  #setValue<Name extends keyof SshConfigValues>(line: ConfigLine, name: Name, isActive: boolean): void {
    const rule = keywordRules[name];
    const value = rule.parse(line, this.#options.system.env);
    if (!isActive || this.#isDecided(name)) return;
    const isSet = Object.hasOwn(this.values, name);
    if (isSet && rule.add === undefined) return;
    const before = this.values[name] as SshConfigValues[Name];
    const first = rule.add && Array.isArray(value) ? ([] as unknown as SshConfigValues[Name]) : undefined;
    const next = rule.add ? rule.add(line, isSet ? before : (first as SshConfigValues[Name]), value) : value;
    this.values = { ...this.values, [name]: next };
    this.#record(name, line);
  }

  /** Of ProxyJump and ProxyCommand, the first one counts. */
  #isDecided(name: keyof SshConfigValues): boolean {
    if (name === "proxyCommand") return this.values.proxyJump !== undefined;
    return name === "proxyJump" && this.values.proxyCommand !== undefined;
  }

  #record(name: string, { file, line, keyword }: ConfigLine): void {
    const setting = { keyword, file, line };
    if (!this.#positions.has(name)) this.#positions.set(name, setting);
    // The second pass, and a file that is included twice, set the same line again.
    this.#settings.set(`${line} ${file} ${keyword}`, setting);
  }

  #matches(line: ConfigLine, scope: Scope): Promise<boolean> {
    const { system, originalHost } = this.#options;
    const { user = system.localUser, tag = "", sessionType } = this.values;
    const { command } = this.#options;
    const ownType = command === undefined ? "none" : command === "" ? "shell" : "exec";
    const { isFinal } = this.#pass;
    const { localUser } = system;
    const actions: MatchActions = {
      requestFinal: () => {
        this.#wantsFinal = true;
      },
      exec: (command) => this.#exec(command, line, scope),
    };
    const subject: MatchSubject = {
      host: this.hostName(),
      originalHost,
      user,
      localUser,
      tag,
      command: command ?? "",
      sessionType: sessionType === undefined || sessionType === "default" ? ownType : sessionType,
      isFinal,
    };
    return matchesCriteria(line, subject, actions);
  }

  async #exec(command: string, line: ConfigLine, scope: Scope): Promise<boolean> {
    if (scope.neverMatches) return false;
    if (!this.#options.allowExec)
      throw configError(line, "Match exec runs a command: set allowExec to permit that, or remove the line");
    this.#options.signal?.throwIfAborted();
    try {
      return await this.#options.system.run(expand(command, line, this.tokens()), this.#options.signal);
    } catch (error) {
      this.#options.signal?.throwIfAborted();
      throw error instanceof SshError ? error : configError(line, "expected the command of Match exec to run", error);
    }
  }

  async #include(line: ConfigLine, scope: Scope): Promise<void> {
    const { isActive, file, depth } = scope;
    const { system } = this.#options;
    for (const given of words(line)) {
      if (given.startsWith("~") && !file.isUsers)
        throw configError(line, "expected Include in the system's file to name an absolute path, got one with ~");
      // Since OpenSSH 9.9, Include accepts tokens and variables.
      const expanded = /[%$]/.test(given) ? expand(given, line, this.tokens(), system.env) : given;
      const path = await expandTilde(expanded, line, system);
      const isAbsolute = path.startsWith("/") || (system.isWindows && /^(?:[a-z]:|\\)/i.test(path));
      const folder = file.isUsers ? `${system.home}/.ssh` : system.systemFolder;
      for (const found of await this.#files.find(isAbsolute ? path : `${folder}/${path}`, line)) {
        const included = { path: found, isUsers: file.isUsers, checksPermissions: true, includedBy: line };
        await this.#readFile({
          file: included,
          depth: depth + 1,
          neverMatches: scope.neverMatches || !isActive,
          isActive,
        });
      }
    }
  }
}
