/** A user account for one server: private copies of passwd and shadow, mounted in a namespace. @module */
import { randomBytes } from "node:crypto";
import { chmodSync, chownSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { userInfo } from "node:os";
import { run } from "./process.ts";
import { inside, isRoot, noPrivateAccounts, unshare } from "./requirements.ts";
import type { TempDir } from "./temp-dir.ts";

export interface Account {
  readonly user: string;
  /** Undefined if the account is the one that runs the tests. */
  readonly password: string | undefined;
  readonly authorizedKeysFile: string;
  /** The start of the server's command line, which makes the account visible to it. */
  readonly prefix: readonly string[];
}

const user = "postern";
/** The id of the user, so that sessions do not run as root. */
const otherId = 64_242;

// Mount and process namespaces of the server keep the machine's accounts unchanged. When the first process of the
// namespace is killed, the kernel kills every session.
const enter = `
mount --bind "$1/passwd" /etc/passwd &&
mount --bind "$1/shadow" /etc/shadow &&
mount --bind "$1/run" /run &&
if [ -e /etc/pam.d/sshd ]; then mount --bind "$1/pam" /etc/pam.d/sshd; fi &&
shift && exec "$@"`;

const pam = "auth required pam_unix.so nodelay\naccount required pam_permit.so\nsession required pam_permit.so\n";

export interface AccountOptions {
  readonly password: string | undefined;
  readonly authorizedKeys: readonly string[];
  /** The root folder of the server's system. Default: `/`. Needs `missing("newer") === undefined`. */
  readonly root?: string | undefined;
}

/** Makes a new account if the machine permits it. Otherwise uses the one that runs the tests (keys only). */
export async function makeAccount(dir: TempDir, options: AccountOptions): Promise<Account> {
  const keys = options.authorizedKeys.map((line) => `${line}\n`).join("");
  const reason = noPrivateAccounts();
  if (reason !== undefined) {
    if (options.password !== undefined) throw new Error(reason);
    // Debian's sshd requires this folder, empty and owned by root.
    if (isRoot()) mkdirSync("/run/sshd", { recursive: true, mode: 0o755 });
    const authorizedKeysFile = dir.file("authorized_keys");
    writeFileSync(authorizedKeysFile, keys, { mode: 0o600 });
    return { user: userInfo().username, password: undefined, authorizedKeysFile, prefix: [] };
  }
  const password = options.password ?? randomBytes(16).toString("base64url");
  const [uid, gid] = isRoot() ? [otherId, otherId] : [process.getuid?.() ?? 0, process.getgid?.() ?? 0];
  // The server sees it as /run/home, because tinysshd rejects a home below a folder that is writable by all.
  const home = dir.file("run", "home");
  const authorizedKeysFile = dir.file("run", "home", ".ssh", "authorized_keys");
  mkdirSync(dir.file("run", "home", ".ssh"), { recursive: true, mode: 0o700 });
  chmodSync(dir.file("run"), 0o755);
  writeFileSync(authorizedKeysFile, keys, { mode: 0o600 });
  for (const path of [home, dir.file("run", "home", ".ssh"), authorizedKeysFile]) chownSync(path, uid, gid);
  writeFileSync(
    dir.file("passwd"),
    // First, so that its name is found by the number.
    `${user}:x:${uid}:${gid}::/run/home:/bin/sh\n${readFileSync(`${options.root ?? ""}/etc/passwd`, "utf8")}`,
  );
  writeFileSync(dir.file("shadow"), `${user}:${await crypt(password)}:19000:0:99999:7:::\n`, { mode: 0o600 });
  writeFileSync(dir.file("pam"), pam);
  mkdirSync(dir.file("run", "sshd"), { recursive: true });
  return {
    user,
    password,
    authorizedKeysFile,
    // Drops the capabilities that mounting needs.
    prefix: [
      ...(options.root === undefined ? unshare() : inside(options.root)),
      ...["sh", "-c", enter, "sh", dir.path, "setpriv", "--ambient-caps=-all", "--inh-caps=-all"],
    ],
  };
}

/** Hashes a password for shadow (SHA-512 crypt). Perl is part of every Debian. */
async function crypt(password: string): Promise<string> {
  const salt = randomBytes(6).toString("hex");
  return run("perl", ["-e", `my $word = <STDIN>; print crypt($word, '$6$${salt}$')`], { input: password });
}
