/** Looks up hosts in known_hosts files. @module */
import { createHmac } from "node:crypto";
import { homedir } from "node:os";
import { join } from "node:path";
import { keyType, knownHostsName, knownKey, matchesKnownHost, parseKnownHosts } from "@postern/keys";
import { type Bytes, toBase64 } from "@postern/wire";
import { readTextFile } from "../system/read-text-file.ts";

/** A key of a line that matches a host. */
export interface KnownHostKey {
  readonly blob: Bytes;
  readonly hosts: string;
  /** file and line, and the marker if there is one */
  readonly place: string;
}

/**
 * Returns the keys of the lines that match a host, hashed names and patterns included.
 *
 * @param files default: those of ssh. Default files that do not exist are left out.
 * @throws Error if there is none
 */
export async function knownHostKeys(
  host: string,
  port: number,
  files: readonly string[] | undefined,
): Promise<readonly KnownHostKey[]> {
  const name = knownHostsName(host, port);
  const found: KnownHostKey[] = [];
  for (const file of files ?? defaultFiles()) {
    const text = await readTextFile(file).catch((error: NodeJS.ErrnoException) => {
      if (files === undefined && error.code === "ENOENT") return "";
      throw error;
    });
    for (const line of parseKnownHosts(text, file)) {
      if (!matchesKnownHost(line.hosts, name, hmacSha1)) continue;
      const key = knownKey(line);
      const marker = line.marker === undefined ? "" : ` ${line.marker}`;
      if (key !== undefined)
        found.push({ blob: key.blob, hosts: line.hosts, place: `${file}:${line.number}${marker}` });
    }
  }
  if (found.length === 0) throw new Error(`expected a key of ${name} in known_hosts, got none`);
  return found;
}

/** Returns a line for known_hosts. */
export function knownHostsLine(hosts: string, blob: Bytes): string {
  return `${hosts} ${keyType(blob)} ${toBase64(blob)}`;
}

function defaultFiles(): string[] {
  const system = process.platform === "win32" ? join(process.env.PROGRAMDATA ?? "C:\\ProgramData", "ssh") : "/etc/ssh";
  const user = join(homedir(), ".ssh");
  return [user, system].flatMap((folder) =>
    ["known_hosts", "known_hosts2"].map((name) => join(folder, folder === system ? `ssh_${name}` : name)),
  );
}

/** Hides names in files, and nothing else: ssh-keygen -H. */
function hmacSha1(key: Bytes, data: Bytes): Bytes {
  return Uint8Array.from(createHmac("sha1", key).update(data).digest());
}
