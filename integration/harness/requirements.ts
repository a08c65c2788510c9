/** The requirements of the integration tests, and the reasons of skipped tests. @module */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
// biome-ignore lint/correctness/useImportExtensions: the declarations are beside the module that a script of Node.js 20 can import.
import { newerDebian, newerSshAudit, nextDebian } from "../../scripts/lib/newer-debian.mjs";

export type Requirement =
  | "sshd"
  | "ssh"
  | "dropbear"
  | "password"
  | "libssh"
  | "newer"
  | "next"
  | "proxies"
  | "nc"
  | "curl"
  | "web"
  | "tmux";

const folders = ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin", "/sbin", "/bin"];
const found = new Map<string, string | undefined>();
const printed = new Set<string>();

/** Returns the path of an installed program. */
export function program(name: string): string | undefined {
  return once(`program ${name}`, () => folders.map((folder) => `${folder}/${name}`).find((path) => existsSync(path)));
}

/**
 * Returns undefined if all is installed. Otherwise returns and prints the reason. `describe.skipIf(missing("sshd"))(…)`
 */
export function missing(...needed: readonly Requirement[]): string | undefined {
  const reason = needed.map(why).find((one) => one !== undefined);
  if (reason !== undefined && !printed.has(reason)) {
    printed.add(reason);
    process.stderr.write(`skipped: ${reason}\n`);
  }
  return reason;
}

/** Returns whether the installed sshd knows a directive of sshd_config(5). */
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

/** Returns undefined if a server can have a private account with a password, otherwise the reason. */
export function noPrivateAccounts(): string | undefined {
  return once("accounts", () => {
    const [command = "", ...args] = unshare();
    const probe = spawnSync(command, [...args, "mount", "--bind", "/tmp", "/run"]);
    return probe.status === 0
      ? undefined
      : "a test account with a password needs mount and process namespaces, which this machine denies (unshare failed)";
  });
}

/** Returns the start of a command line that runs in private namespaces, which end with their first process. */
export function unshare(): readonly string[] {
  const namespaces = ["unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child"];
  return isRoot() ? namespaces : [...namespaces, "--user", "--map-current-user", "--keep-caps"];
}

const enterRoot = `
mount -t proc proc "$1/proc" && mount --rbind /dev "$1/dev" && mkdir -p "$1$2" && mount --bind "$2" "$1$2" &&
root=$1 && shift 2 && exec chroot "$root" "$@"`;

/** Returns the start of a command line that runs in another root folder, with this machine's temporary folder. */
export function inside(root: string): readonly string[] {
  return [...unshare(), "sh", "-c", enterRoot, "sh", root, tmpdir()];
}

export function isRoot(): boolean {
  return process.getuid?.() === 0;
}

/** Without a private account, the user who runs the tests must be able to log in. */
function noAccount(): string | undefined {
  const reason = noPrivateAccounts();
  if (reason === undefined || isRoot()) return undefined;
  try {
    const { username, shell } = userInfo();
    if (username !== "nobody" && !/\/(nologin|false)$/.test(shell ?? "")) return undefined;
  } catch {
    // The user has no entry in passwd.
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
      return noRoot(newerDebian());
    case "next":
      return noRoot(nextDebian());
    case "proxies":
      return (
        lacks("microsocks", "microsocks") ??
        lacks("danted", "dante-server") ??
        lacks("tinyproxy", "tinyproxy") ??
        lacks("stunnel4", "stunnel4") ??
        lacks("openssl", "openssl")
      );
    case "nc":
      return lacks("nc.openbsd", "netcat-openbsd");
    case "web":
      return lacks("nginx", "nginx-light") ?? lacks("haproxy", "haproxy") ?? lacks("openssl", "openssl");
    case "curl":
      return lacks("curl", "curl");
    case "tmux":
      return lacks("tmux", "tmux") ?? lacks("bash", "bash");
    default:
      return need satisfies never;
  }
}

/** Returns undefined if C programs can be compiled, otherwise the reason. */
export function noCompiler(): string | undefined {
  return lacks("gcc", "gcc") ?? lacksFile("/usr/include/stdio.h", "libc6-dev");
}

/** Returns undefined if the file exists, otherwise what to install. */
export function lacksFile(path: string, debianPackage: string): string | undefined {
  return existsSync(path) ? undefined : `${path} is missing: apt-get install ${debianPackage}`;
}

/** Returns the root folder of a newer Debian. Needs `missing("newer") === undefined`. */
export function newerRoot(): string {
  return newerDebian().folder;
}

/** Returns the root folder with OpenSSH of the next Debian. Needs `missing("next") === undefined`. */
export function nextRoot(): string {
  return nextDebian().folder;
}

/** Returns the folder with a newer ssh-audit than the installed one, if `scripts/setup-tests.mjs` has made it. */
export function newerSshAuditFolder(): string | undefined {
  const { folder, isThere } = newerSshAudit();
  return isThere ? folder : undefined;
}

function noRoot({ folder, isThere }: { readonly folder: string; readonly isThere: boolean }): string | undefined {
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
