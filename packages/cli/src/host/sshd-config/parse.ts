/** Reads sshd_config files: settings of the command line, the file, its Include lines, and Match blocks. @module */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, isAbsolute, join, sep } from "node:path";
import { matchPattern } from "@postern/keys";
import { BadLineError, HostConfigError } from "./config-error.ts";
import { type Keyword, keywordOf } from "./keywords.ts";
import { type MatchBlock, type MatchSubject, readMatch } from "./match.ts";
import { readLine, type SshdConfigLine } from "./read-line.ts";
import { fatal, valuesOf } from "./values.ts";

/** As in OpenSSH. */
const deepestInclude = 16;
/** Bounds of what a configuration may hold. */
const maxBytes = 1024 * 1024;
const mostFiles = 1024;

/** The effective values by keyword in lower case, for one connection or for none. */
export type Settings = ReadonlyMap<string, readonly string[]>;

/** A message about a line that has no effect. */
export interface ConfigNote {
  readonly level: "INFO" | "DEBUG1";
  readonly text: string;
}

/** A parsed configuration. */
export interface SshdConfig {
  /** The values outside Match blocks. */
  readonly global: Settings;
  /** Returns the values for a connection: those of the Match blocks that match, and otherwise the global ones. */
  settings(subject: MatchSubject): Settings;
  readonly needsGroups: boolean;
  /** Lines without effect. */
  readonly notes: readonly ConfigNote[];
}

interface Entry {
  readonly keyword: Keyword;
  readonly values: readonly string[];
  readonly block: MatchBlock | undefined;
}

/** Where a configuration comes from. */
export interface SshdConfigSource {
  /** `undefined` for the options of the command line alone */
  readonly file: string | undefined;
  /** the lines of `-o` */
  readonly settings: readonly string[];
  /** Ports that replace those of the settings and the file. Default: none. */
  readonly ports?: readonly number[];
}

/**
 * Reads a configuration.
 *
 * @throws HostConfigError with the lines that sshd prints
 */
export function readSshdConfig({ file, settings, ports = [] }: SshdConfigSource): SshdConfig {
  const reader = new Reader(ports);
  for (const text of settings) reader.read(text.replace(/^([^\s=]+)=/, "$1 "), "command-line", 0, 0);
  reader.endCommandLine();
  if (file !== undefined && file !== "none") reader.file(file, 0, true);
  reader.check(file ?? "command-line");
  return configOf(reader.entries, reader.notes);
}

class Reader {
  readonly entries: Entry[] = [];
  readonly notes: ConfigNote[] = [];
  /** The messages before the end: the wrong lines, and others in between. */
  readonly #printed: string[] = [];
  #bad = 0;
  readonly #ports: readonly number[];
  #block: MatchBlock | undefined;
  /** the block that has the Include line of the file */
  #outer: MatchBlock | undefined;
  #files = 0;

  constructor(ports: readonly number[]) {
    this.#ports = ports;
    for (const port of ports) this.read(`Port ${port}`, "command-line", 0, 0);
  }

  read(text: string, file: string, number: number, depth: number): void {
    try {
      const line = readLine(text, file, number);
      if (line !== undefined) this.#line(line, depth);
    } catch (error) {
      if (!(error instanceof BadLineError)) throw this.#withEarlier(error);
      this.#printed.push(error.message);
      this.#bad++;
    }
  }

  /** sshd ends at once if an option of the command line is wrong. */
  endCommandLine(): void {
    if (this.#bad > 0) throw new HostConfigError(this.#printed.join("\n"), 1);
    this.#block = undefined;
  }

  /** @throws HostConfigError if a line was wrong */
  check(file: string): void {
    if (this.#bad === 0) return;
    const end = `${file}: terminating, ${this.#bad} bad configuration options`;
    throw new HostConfigError([...this.#printed, end].join("\n"));
  }

  file(path: string, depth: number, mustExist: boolean): void {
    if (++this.#files > mostFiles) throw new HostConfigError(`${path}: too many included files`);
    let text: string;
    try {
      if (statSync(path).size > maxBytes) throw new HostConfigError(`${path}: expected at most ${maxBytes} bytes`);
      text = readFileSync(path, "utf8");
    } catch (error) {
      if (error instanceof HostConfigError) throw error;
      const { code = "" } = error as NodeJS.ErrnoException;
      if (!mustExist && code === "ENOENT") return;
      throw new HostConfigError(`${path}: ${systemReason(code)}`, depth === 0 ? 1 : 255);
    }
    for (const [index, line] of text.split("\n").entries()) this.read(line, path, index + 1, depth);
  }

  #line(line: SshdConfigLine, depth: number): void {
    const name = line.keyword.toLowerCase();
    if (name === "include") return this.#include(line, depth);
    if (name === "match") {
      this.#block = within(this.#outer, readMatch(line));
      return;
    }
    const keyword = keywordOf(name);
    if (keyword === undefined)
      throw new BadLineError(`${line.file}: line ${line.line}: Bad configuration option: ${line.keyword}`);
    const place = `${line.file} line ${line.line}`;
    if (keyword === "deprecated" || keyword === "obsolete") {
      const level = keyword === "deprecated" ? "INFO" : "DEBUG1";
      const text = `${place}: Deprecated option ${line.keyword}`;
      this.notes.push({ level, text });
      if (level === "INFO") this.#printed.push(text);
      return;
    }
    if (this.#block !== undefined && !keyword.inMatch)
      throw fatal(line, `Directive '${line.keyword}' is not allowed within a Match block`);
    const values = valuesOf(keyword, line);
    if (keyword.name === "Port" && !this.#ports.includes(Number(values[0])) && this.#ports.length > 0) return;
    this.entries.push({ keyword, values, block: this.#block });
    if (keyword.use === "global" && this.#block !== undefined)
      this.notes.push({ level: "INFO", text: `${place}: ${keyword.name} has no effect in a Match block` });
    if (keyword.use === "ignored") {
      const why = keyword.note === undefined ? "" : `: ${keyword.note}`;
      this.notes.push({ level: "DEBUG1", text: `${place}: ${keyword.name} has no effect${why}` });
    }
  }

  /** Relative names are in /etc/ssh. A Match block of an included file ends with it, and is within that of the line. */
  #include(line: SshdConfigLine, depth: number): void {
    if (depth >= deepestInclude) throw fatal(line, "Too many recursive configuration includes");
    const block = this.#block;
    const outer = this.#outer;
    this.#outer = block;
    for (const name of line.args) {
      for (const path of expandPath(isAbsolute(name) ? name : join("/etc/ssh", name))) {
        this.file(path, depth + 1, false);
        this.#block = block;
      }
    }
    this.#outer = outer;
  }

  /** Earlier messages come first, as sshd prints them at once. */
  #withEarlier(error: unknown): unknown {
    if (!(error instanceof HostConfigError) || this.#printed.length === 0) return error;
    return new HostConfigError([...this.#printed, error.message].join("\n"), error.status);
  }
}

function within(outer: MatchBlock | undefined, block: MatchBlock): MatchBlock {
  if (outer === undefined) return block;
  return {
    needsGroups: outer.needsGroups || block.needsGroups,
    matches: (subject) => outer.matches(subject) && block.matches(subject),
  };
}

/** Keywords whose values of several lines add up. */
const accumulating: ReadonlySet<string> = new Set(["Port", "ListenAddress", "Subsystem"]);

function configOf(entries: readonly Entry[], notes: readonly ConfigNote[]): SshdConfig {
  const global = collect(entries.filter(({ block }) => block === undefined));
  const blocks = entries.filter(({ block }) => block !== undefined);
  return {
    global,
    notes,
    needsGroups:
      blocks.some(({ block }) => block?.needsGroups === true) ||
      entries.some(({ keyword }) => keyword.name.endsWith("Groups")),
    settings(subject) {
      const matching = blocks.filter(({ block }) => block?.matches(subject) === true);
      return matching.length === 0 ? global : new Map([...global, ...collect(matching)]);
    },
  };
}

/** As in sshd, the first value of a keyword counts, and lists of some keywords add up. */
function collect(entries: readonly Entry[]): Map<string, readonly string[]> {
  const result = new Map<string, readonly string[]>();
  for (const { keyword, values } of entries) {
    const name = keyword.name.toLowerCase();
    const known = result.get(name);
    if (known === undefined) result.set(name, values);
    else if (keyword.form === "lines" || accumulating.has(keyword.name)) result.set(name, [...known, ...values]);
  }
  return result;
}

/** Returns the files that a pattern matches, in order, as glob(7) does; the pattern itself if it has no wildcard. */
function expandPath(pattern: string): readonly string[] {
  if (!/[*?[]/.test(pattern)) return [pattern];
  const folder = dirname(pattern);
  const folders = /[*?[]/.test(folder) ? expandPath(folder) : [folder];
  const name = pattern.slice(pattern.lastIndexOf(sep) + 1);
  return folders.flatMap((one) => {
    try {
      const found = readdirSync(one).filter((entry) => isVisible(entry, name) && matchPattern(entry, name));
      return found.toSorted().map((entry) => join(one, entry));
    } catch {
      return [];
    }
  });
}

function isVisible(entry: string, pattern: string): boolean {
  return !entry.startsWith(".") || pattern.startsWith(".");
}

/** The words of strerror(3) for the errors of a file. */
export function systemReason(code: string): string {
  const words: Readonly<Record<string, string>> = {
    ENOENT: "No such file or directory",
    EACCES: "Permission denied",
    EISDIR: "Is a directory",
    EADDRINUSE: "Address already in use",
    EADDRNOTAVAIL: "Cannot assign requested address",
    ENOTDIR: "Not a directory",
    EROFS: "Read-only file system",
    ENOSPC: "No space left on device",
  };
  return words[code] ?? code;
}
