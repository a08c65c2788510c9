/** The system's accounts: /etc/passwd, and what `getent` and `id` know besides. @module */
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";

/** An account of the system. */
export interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

/** Finds accounts. */
export interface Accounts {
  /** Resolves with `undefined` if there is no account of exactly this name. */
  find(name: string): Promise<Account | undefined>;
  /** The names of the groups that a user is in. Empty if they cannot be found out: every account has a group. */
  groups(name: string): Promise<readonly string[]>;
}

/** Names that a program may be given as an argument, and an account may have: useradd(8) allows fewer. */
const plainName = /^[^\s:,/\0-\x20\x7f-][^\s:,/\0-\x20\x7f]{0,255}$/u;
const timeoutMs = 10_000;

/** The accounts of this system. */
export function systemAccounts(passwd = "/etc/passwd"): Accounts {
  return {
    async find(name) {
      if (!plainName.test(name)) return undefined;
      const local = findLine(await readFile(passwd, "utf8").catch(() => ""), name);
      return local ?? findLine(await output("getent", ["passwd", "--", name]), name);
    },
    async groups(name) {
      if (!plainName.test(name)) return [];
      // Names of groups may contain spaces: without zeros, "domain users" would be two groups. Not each id(1) has -z.
      const list = (await output("id", ["-Gnz", "--", name])) || (await output("id", ["-Gn", "--", name]));
      return list.split(list.includes("\0") ? "\0" : /\s+/).filter((group) => group !== "");
    },
  };
}

/** passwd(5). A number that getent takes for a user ID finds another name, which is not the one. */
function findLine(text: string, name: string): Account | undefined {
  const line = text.split("\n").find((one) => one.startsWith(`${name}:`));
  const [, , uid = "", gid = "", , home = ""] = line?.split(":") ?? [];
  const areNumbers = [uid, gid].every((id) => /^\d{1,10}$/.test(id));
  return areNumbers ? { name, uid: Number(uid), gid: Number(gid), home } : undefined;
}

/** The standard output of a program, or nothing if it fails. */
function output(program: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve) => {
    execFile(program, args, { timeout: timeoutMs, maxBuffer: 256 * 1024 }, (error, stdout) => {
      resolve(error === null ? stdout : "");
    });
  });
}
