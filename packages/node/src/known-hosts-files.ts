/** Reading and changing known_hosts files. @module */
import { randomUUID } from "node:crypto";
import { chmod, mkdir, open, readFile, realpath, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { KnownHostsLimits } from "@postern/keys";
import type { KnownHostsBackend, KnownHostsText, RemovedLine } from "@postern/tunnel";
import { expectList, quote, SshError } from "@postern/wire";
import { homeFolder, systemFolder } from "./folders.ts";
import { readBounded } from "./read-file.ts";

/** Rewrites that fail because another program keeps changing the file. */
const attempts = 5;

/** The user's files of OpenSSH. */
export function userKnownHosts(): readonly string[] {
  return ["known_hosts", "known_hosts2"].map((name) => join(homeFolder(), ".ssh", name));
}

/** The system's files of OpenSSH. */
export function globalKnownHosts(): readonly string[] {
  return ["ssh_known_hosts", "ssh_known_hosts2"].map((name) => join(systemFolder(), name));
}

/** Returns the backend of files. @throws SshError `misuse` */
export function fileBackend(files: readonly string[], globalFiles: readonly string[]): KnownHostsBackend {
  const isPath = (path: unknown) => typeof path === "string" && path !== "" && !path.includes("\0");
  expectList("files to hold paths", files, isPath);
  expectList("globalFiles to hold paths", globalFiles, isPath);
  const users = files.map(expand);
  const all = [...users, ...globalFiles.map(expand)];
  if (all.length === 0) throw new SshError("misuse", "expected files to hold at least one path, got none");
  const [first] = users;
  const isDefault = first === userKnownHosts()[0];
  /** One change at a time in this process. */
  let last: Promise<void> = Promise.resolve();
  const change = async (target: string, added: readonly string[], removed: readonly RemovedLine[]): Promise<void> => {
    const paths = new Set(removed.map(({ file }) => file ?? target));
    // A new key first: if the program ends in between, the server stays known.
    if (added.length > 0 && !paths.has(target)) await append(target, added);
    for (const path of paths) {
      const gone = removed.filter(({ file = target }) => file === path).map(({ text }) => text);
      await rewrite(path, path === target ? added : [], new Set(gone));
    }
  };
  return {
    place: all.join(", "),
    sshOptions: first === undefined ? undefined : isDefault ? "" : ` -o UserKnownHostsFile=${quote(first)}`,
    load: async () => await Promise.all(all.map((file, index) => load(file, index < users.length))),
    change:
      first === undefined
        ? undefined
        : async (added, removed) => {
            const next = last.then(() => change(first, added, removed));
            last = next.catch(() => {});
            await next;
          },
  };
}

function expand(path: string): string {
  return path === "~" || path.startsWith("~/") ? join(homeFolder(), path.slice(1)) : path;
}

/** Each byte is one character, so that lines in any charset can be written back. */
const bytes = "latin1";

async function load(file: string, isUsers: boolean): Promise<KnownHostsText> {
  return { file, text: await read(file), isUsers };
}

/** Returns the text, which is empty if the file does not exist. */
async function read(file: string): Promise<string> {
  try {
    const content = await readBounded(file, { maxBytes: KnownHostsLimits.characters, code: "hostkey" });
    return Buffer.from(content.buffer, content.byteOffset, content.length).toString(bytes);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return "";
    throw error;
  }
}

/** Adds lines at the end with O_APPEND, so that no line of another program is lost. */
async function append(file: string, lines: readonly string[]): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const handle = await open(file, "a+", 0o600);
  try {
    const { size } = await handle.stat();
    const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, Math.max(0, size - 1));
    const start = size > 0 && buffer[0] !== 0x0a ? "\n" : "";
    await handle.write(`${start}${lines.map((line) => `${line}\n`).join("")}`, null, bytes);
  } finally {
    await handle.close();
  }
}

/** Replaces the file by one without and with some lines. All other lines keep their bytes. */
async function rewrite(path: string, added: readonly string[], removed: ReadonlySet<string>): Promise<void> {
  // Replaces the target of a symbolic link, not the link.
  const file = await realpath(path);
  for (let attempt = 1; ; attempt++) {
    const before = await stat(file);
    const lines = (await readFile(file, bytes)).split("\n");
    const end = lines.pop() ?? "";
    const kept = [...lines, ...(end === "" ? [] : [end])].filter((line) => !removed.has(line));
    const text = [...kept, ...added].map((line) => `${line}\n`).join("");
    const temporary = `${file}.${randomUUID()}`;
    try {
      await writeFile(temporary, text, { encoding: bytes, flag: "wx", mode: 0o600 });
      await chmod(temporary, before.mode & 0o777);
      const after = await stat(file);
      // Another program has changed the file: its lines must not be lost.
      const isSame = after.ino === before.ino && after.size === before.size && after.mtimeMs === before.mtimeMs;
      if (isSame) return await rename(temporary, file);
      if (attempt === attempts)
        throw new SshError("hostkey", `expected ${file} to stay as it is during a rewrite, got changes`);
    } finally {
      await rm(temporary, { force: true });
    }
  }
}
