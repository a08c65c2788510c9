/** What the integration tests need from the machine, and the words for a test that is skipped without it. @module */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
// biome-ignore lint/correctness/useImportExtensions: the declarations are beside the module that a script of Node.js 20 can import.
import { newerDebian } from "../../scripts/lib/newer-debian.mjs";

export type Requirement = "sshd" | "ssh" | "dropbear" | "password" | "libssh" | "newer";

const folders = ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin", "/sbin", "/bin"];
const found = new Map<string, string | undefined>();
const told = new Set<string>();

/** The path of an installed program. */
export function program(name: string): string | undefined {
  return once(`program ${name}`, () => folders.map((folder) => `${folder}/${name}`).find((path) => existsSync(path)));
}

/** Undefined when all is there; otherwise why not, which is also printed. `describe.skipIf(missing("sshd"))(…)` */
export function missing(...needed: readonly Requirement[]): string | undefined {
  const reason = needed.map(why).find((one) => one !== undefined);
  if (reason !== undefined && !told.has(reason)) {
    told.add(reason);
    process.stderr.write(`skipped: ${reason}\n`);
  }
  return reason;
}

/** Whether the installed sshd knows a directive of sshd_config(5). */
export function sshdKnows(directive: string, value = "no"): boolean {
  const path = program("sshd");
  return (
    once(`sshd ${directive}`, () => {
      if (path === undefined) return "no sshd";
      const { stderr } = spawnSync(path, ["-t", "-f", "/dev/null", "-o", `${directive}=${value}`], {
        encoding: "utf8",
      });
      return /Bad configuration option/.test(stderr) ? "unknown" : undefined;
    }) === undefined
  );
}

/** Undefined when a server can be given an account of its own, with a password and a home in a temporary folder; otherwise why not. */
export function noPrivateAccounts(): string | undefined {
  return once("accounts", () => {
    const [command = "", ...args] = unshare();
    const probe = spawnSync(command, [...args, "mount", "--bind", "/tmp", "/run"]);
    return probe.status === 0
      ? undefined
      : "a test account with a password needs mount and process namespaces, which this machine denies (unshare failed)";
  });
}

/** What puts a command line into namespaces of its own, where mounts are private and the end of the first process ends all. */
export function unshare(): readonly string[] {
  const namespaces = ["unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child"];
  return isRoot() ? namespaces : [...namespaces, "--user", "--map-current-user", "--keep-caps"];
}

const enterRoot = `
mount -t proc proc "$1/proc" && mount --rbind /dev "$1/dev" && mkdir -p "$1$2" && mount --bind "$2" "$1$2" &&
root=$1 && shift 2 && exec chroot "$root" "$@"`;

/** What runs a command line in another root folder, with the temporary folder of this machine, in namespaces of its own. */
export function inside(root: string): readonly string[] {
  return [...unshare(), "sh", "-c", enterRoot, "sh", root, tmpdir()];
}

export function isRoot(): boolean {
  return process.getuid?.() === 0;
}

/** Where sshd cannot have a private account, whoever runs the tests logs in to itself. */
function noAccount(): string | undefined {
  const reason = noPrivateAccounts();
  if (reason === undefined || isRoot()) return undefined;
  try {
    const { username, shell } = userInfo();
    if (username !== "nobody" && !/\/(nologin|false)$/.test(shell ?? "")) return undefined;
  } catch {
    // A number without an entry in passwd.
  }
  return `the user who runs the tests cannot log in, and ${reason}`;
}

function why(need: Requirement): string | undefined {
  switch (need) {
    case "sshd":
      return lacks("sshd", "openssh-server") ?? lacks("ssh-keygen", "openssh-client") ?? noAccount();
    case "ssh":
      return lacks("ssh", "openssh-client");
    case "dropbear":
      return lacks("dropbear", "dropbear-bin") ?? lacks("ssh-keygen", "openssh-client") ?? noPrivateAccounts();
    case "password":
      return noPrivateAccounts();
    case "libssh":
      return lacksFile("/usr/include/libssh/libssh.h", "libssh-dev") ?? noCompiler();
    case "newer":
      return noNewer();
    default:
      return need satisfies never;
  }
}

/** Undefined when C programs can be compiled; otherwise why not. */
export function noCompiler(): string | undefined {
  return lacks("gcc", "gcc") ?? lacksFile("/usr/include/stdio.h", "libc6-dev");
}

/** Undefined when the file is there; otherwise what to install. */
export function lacksFile(path: string, debianPackage: string): string | undefined {
  return existsSync(path) ? undefined : `${path} is missing: apt-get install ${debianPackage}`;
}

/** The root folder of a newer Debian. Needs `missing("newer") === undefined`. */
export function newerRoot(): string {
  return newerDebian().folder;
}

function noNewer(): string | undefined {
  const { folder, isThere } = newerDebian();
  if (!isRoot()) return "only root can run the programs of a newer Debian: chroot";
  if (!isThere) return `${folder} is missing, which scripts/setup-tests.mjs makes where it may`;
  return noPrivateAccounts();
}

export function lacks(name: string, debianPackage: string): string | undefined {
  return program(name) === undefined ? `${name} is not installed: apt-get install ${debianPackage}` : undefined;
}

function once(key: string, find: () => string | undefined): string | undefined {
  if (!found.has(key)) found.set(key, find());
  return found.get(key);
}
