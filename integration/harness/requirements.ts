/** What the integration tests need from the machine, and the words for a test that is skipped without it. @module */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { userInfo } from "node:os";

export type Requirement = "sshd" | "ssh" | "dropbear" | "password";

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

export function isRoot(): boolean {
  return process.getuid?.() === 0;
}

/** Where sshd cannot have a private account, whoever runs the tests logs on to itself. */
function noAccount(): string | undefined {
  const reason = noPrivateAccounts();
  if (reason === undefined || isRoot()) return undefined;
  try {
    const { username, shell } = userInfo();
    if (username !== "nobody" && !/\/(nologin|false)$/.test(shell ?? "")) return undefined;
  } catch {
    // A number without an entry in passwd.
  }
  return `the user who runs the tests cannot log on, and ${reason}`;
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
    default:
      return need satisfies never;
  }
}

function lacks(name: string, debianPackage: string): string | undefined {
  return program(name) === undefined ? `${name} is not installed: apt-get install ${debianPackage}` : undefined;
}

function once(key: string, find: () => string | undefined): string | undefined {
  if (!found.has(key)) found.set(key, find());
  return found.get(key);
}
