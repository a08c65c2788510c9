/** Reads configuration files, and finds those that Include names. Bounds files, lines and folders. @module */
import type { Stats } from "node:fs";
import { quote, SshError } from "@postern/wire";
import { readBounded } from "../read-file.ts";
import { configError, type SshConfigPosition } from "./config-line.ts";
import { matchesPathSegment } from "./path-pattern.ts";

/** Bounds of what is read. A person's configuration is a hundredth of them. */
export const ConfigLimits = {
  /** bytes of a file */
  fileBytes: 1_048_576,
  /** characters of a line */
  lineLength: 65_536,
  /** files read for one host, each time that it is included */
  files: 1024,
  /** bytes of all of them */
  totalBytes: 4_194_304,
  /** entries of folders that patterns of Include are compared with */
  folderEntries: 20_000,
  /** Include in a file that is included, as in OpenSSH */
  depth: 16,
} as const;

/** How to read a file. */
export interface ReadRequest {
  /** Refuses a file that others can write, as ssh does for the user's file and for included ones. */
  readonly checksPermissions: boolean;
  /** the Include line, for errors */
  readonly includedBy?: SshConfigPosition | undefined;
}

/** The files of one resolution. Each one is read from disk once. */
export class ConfigFiles {
  readonly #texts = new Map<string, Promise<string | undefined>>();
  readonly #isWindows: boolean;
  #count = 0;
  #bytes = 0;
  #entries = 0;

  constructor(isWindows: boolean) {
    this.#isWindows = isWindows;
  }

  /**
   * Returns the lines of a file, or `undefined` if it does not exist.
   *
   * @throws SshError `misuse` if the file cannot be read, others can write it, or it exceeds a limit
   */
  async lines(path: string, request: ReadRequest): Promise<readonly string[] | undefined> {
    const { includedBy } = request;
    const text = await this.#text(path, request);
    if (text === undefined) return undefined;
    this.#bytes += text.length;
    if (++this.#count > ConfigLimits.files || this.#bytes > ConfigLimits.totalBytes) {
      const problem = `expected at most ${ConfigLimits.files} files and ${ConfigLimits.totalBytes} bytes, got more`;
      throw includedBy ? configError(includedBy, problem) : configError({ file: path, line: 1 }, problem);
    }
    const lines = text.split("\n");
    const long = lines.findIndex((line) => line.length > ConfigLimits.lineLength);
    if (long >= 0) {
      const problem = `expected at most ${ConfigLimits.lineLength} characters, got ${lines[long]?.length}`;
      throw configError({ file: path, line: long + 1 }, problem);
    }
    return lines;
  }

  /**
   * Returns the paths that match a pattern of Include, sorted by name. Names that begin with a dot match only a pattern
   * that begins with one. A path without wildcards is returned as it is.
   */
  async find(pattern: string, at: SshConfigPosition): Promise<readonly string[]> {
    const [root = "", ...segments] = (this.#isWindows ? pattern.replaceAll("\\", "/") : pattern).split("/");
    let found = [root];
    for (const segment of segments) {
      if (segment === "") continue;
      const next: string[] = [];
      for (const folder of found) {
        if (!/[*?[\\]/.test(segment)) next.push(`${folder}/${segment}`);
        else for (const name of await this.#names(`${folder}/`, segment, at)) next.push(`${folder}/${name}`);
      }
      found = next;
    }
    return found;
  }

  async #names(folder: string, segment: string, at: SshConfigPosition): Promise<readonly string[]> {
    const names: string[] = [];
    const { opendir } = process.getBuiltinModule("node:fs/promises");
    const entries = await opendir(folder).catch(() => undefined);
    if (entries === undefined) return names;
    for await (const { name } of entries) {
      if (++this.#entries > ConfigLimits.folderEntries)
        throw configError(at, `expected Include to search at most ${ConfigLimits.folderEntries} names, got more`);
      if (name.startsWith(".") === segment.startsWith(".") && matchesPathSegment(name, segment)) names.push(name);
    }
    return names.sort();
  }

  #text(path: string, request: ReadRequest): Promise<string | undefined> {
    const known = this.#texts.get(path);
    if (known !== undefined) return known;
    const text = readText(path, request, this.#isWindows);
    this.#texts.set(path, text);
    return text;
  }
}

async function readText(path: string, request: ReadRequest, isWindows: boolean): Promise<string | undefined> {
  const check = ({ mode, uid }: Stats): void => {
    const ours = uid === 0 || uid === process.getuid?.();
    if (!request.checksPermissions || isWindows || (ours && (mode & 0o022) === 0)) return;
    const got = ours ? `mode ${(mode & 0o777).toString(8)}; run chmod go-w` : `a file of the user ${uid}`;
    throw misuse(request, `expected ${quote(path, 400)} to be yours, and writable by you alone, got ${got}`);
  };
  const maxBytes = ConfigLimits.fileBytes;
  try {
    // Removes a byte order mark.
    return new TextDecoder().decode(await readBounded(path, { maxBytes, code: "connect", check }));
  } catch (error) {
    if (error instanceof SshError && error.code === "limit")
      throw misuse(request, `expected ${quote(path, 400)} to have at most ${maxBytes} bytes, got more`);
    if (error instanceof SshError && error.code === "connect") throw unreadable(path, request, "something else");
    if (error instanceof SshError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw unreadable(path, request, code ?? "an error", error);
  }
}

function unreadable(path: string, request: ReadRequest, got: string, cause?: unknown): SshError {
  return misuse(request, `expected ${quote(path, 400)} to be a file that can be read, got ${got}`, cause);
}

function misuse({ includedBy }: ReadRequest, problem: string, cause?: unknown): SshError {
  return includedBy ? configError(includedBy, problem, cause) : new SshError("misuse", problem, { cause });
}
