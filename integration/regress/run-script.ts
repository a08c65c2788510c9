/** Runs one of OpenSSH's scripts in namespaces of its own, which end with it. @module */
import { cpSync, existsSync, mkdirSync, readFileSync, realpathSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { launch, run, type TempDir, tempDir } from "../harness/index.ts";
import { pathIn, type Release, scriptsFolder } from "./releases.ts";
import type { Script } from "./scripts.ts";
import { postern, sshWithCommands, writeProgram } from "./stand-ins.ts";

/** The outcome of a script. */
export interface Verdict {
  readonly passed: boolean;
  /** The last line of the output of the script, or why it was ended. */
  readonly lastLine: string;
  /** The failures that it noted. It goes on after most of them. */
  readonly failures: readonly string[];
  readonly seconds: number;
  /** The output of the script, and the logs of ssh and sshd at the first failure. */
  readonly log: string;
}

/**
 * Which programs the script runs with: ours in one role, OpenSSH's in both, or OpenSSH's in both with our wrapper of
 * `ssh`, to try the wrapper.
 */
export type Subject = Script["role"] | "openssh" | "wrapper";

const repository = join(import.meta.dirname, "..", "..");
/** The real sshd that runs the commands listens on this port of the script's own network. */
const commandPort = 2222;

// The accounts, the names and PAM are those of the script alone.
const enter = `
root=$1 work=$2 && shift 2 && ip link set lo up && mount -t proc proc "$root/proc" &&
if [ -n "$root" ]; then
  mount --rbind /dev "$root/dev" && mkdir -p "$root$work" && mount --bind "$work" "$root$work"
fi &&
for file in passwd shadow hosts pam.d/sshd; do
  [ -e "$root/etc/$file" ] || : > "$root/etc/$file"
  mount --bind "$work/etc/\${file##*/}" "$root/etc/$file" || exit
done &&
mount --bind "$work/run" "$root/run" &&
{ [ ! -e "$work/side/sshd_config" ] || chroot "$root/" /usr/sbin/sshd -f "$work/side/sshd_config"; } &&
exec chroot "$root/" sh -c 'cd "$1" && shift && exec "$@"' sh "$work/regress" "$@"`;

export interface RunOptions {
  readonly script: Omit<Script, "role" | "release">;
  readonly subject: Subject;
  readonly release: Release;
}

/** Returns after how many seconds a script is stopped. */
export function limitOf({ limitSeconds = 900 }: Pick<Script, "limitSeconds">): number {
  return limitSeconds;
}

/** Runs a script. Throws if it cannot start. */
export async function runScript({ script, subject, release }: RunOptions): Promise<Verdict> {
  const dir = tempDir("regress");
  try {
    const { name } = script;
    const limitSeconds = limitOf(script);
    const env = await prepare(dir, release, subject, script);
    const start = Date.now();
    const namespaces = ["--mount", "--propagation", "private", "--net", "--pid", "--fork", "--kill-child"];
    const process = await launch(
      "nice",
      [
        ...["unshare", ...namespaces, "sh", "-c", enter, "sh", release.root ?? "", dir.path],
        ...["sh", "./test-exec.sh", dir.file("regress"), dir.file("regress", `${name}.sh`)],
      ],
      { env },
    );
    const timer = setTimeout(() => void process.stop(), limitSeconds * 1000);
    const code = await process.exited;
    clearTimeout(timer);
    await process.stop();
    const seconds = (Date.now() - start) / 1000;
    const output = process.stdout.text();
    const lastLine =
      typeof code === "string" ? `not done after ${limitSeconds} seconds` : (output.trim().split("\n").at(-1) ?? "");
    const isSkipped = /^SKIPPED/m.test(output);
    const [regress = "", ...others] = failedLogs.map((name) => logOf(dir, name));
    const failures = new Set(Array.from(regress.matchAll(/^(?:FAIL|FATAL): (.*)/gm), ([, text = ""]) => text));
    const log = [output, process.stderr.text(), regress, ...others].join("\n");
    return { passed: code === 0 && !isSkipped, lastLine, failures: [...failures], seconds, log };
  } finally {
    dir.remove();
  }
}

async function prepare(
  dir: TempDir,
  release: Release,
  subject: Subject,
  { name, commands, words = [] }: RunOptions["script"],
): Promise<Record<string, string>> {
  for (const folder of ["bin", "etc", "home", "run", "run/sshd", "tmp", "postern"]) mkdirSync(dir.file(folder));
  cpSync(pathIn(release, scriptsFolder), dir.file("regress"), {
    recursive: true,
    // A security key is a native library that ssh loads, which a program in JavaScript cannot.
    filter: (path) => !/\/(unittests|sk-dummy)$/.test(path),
  });
  const password = "a long password of a test";
  writeFileSync(dir.file("regress", "password"), `${password}\n`);
  writeFileSync(dir.file("regress", "kbdintpw"), `${password}\n`);
  await writeAccounts(dir, release, password);

  const cli = process.env.POSTERN_REGRESS_PROGRAM ?? join(repository, "packages", "cli");
  cpSync(join(cli, "dist"), dir.file("postern", "dist"), { recursive: true, filter: (path) => !path.endsWith(".map") });
  cpSync(join(cli, "package.json"), dir.file("postern", "package.json"));
  // Another root folder sees the files of this one alone.
  if (release.root === undefined) symlinkSync(process.execPath, dir.file("bin", "node"));
  else cpSync(realpathSync(process.execPath), dir.file("bin", "node"));
  const program = dir.file("postern", "dist", "postern.js");
  writeProgram(dir.file("bin", "postern"), postern(dir.file("bin", "node"), program, ...words));
  writeProgram(dir.file("bin", "postern-host"), postern(dir.file("bin", "node"), program, "host"));
  // A client of the script login-timeout, which sends nothing after its first line.
  writeProgram(dir.file("bin", "telnet"), `#!/bin/sh\nexec ${dir.file("regress", "netcat")} "$@"\n`);

  let ssh = "/usr/bin/ssh";
  if (subject === "client") ssh = dir.file("bin", "postern");
  if ((subject === "host" || subject === "wrapper") && commands !== undefined) {
    ssh = dir.file("bin", "ssh");
    const config = await prepareSide(dir);
    writeProgram(
      ssh,
      sshWithCommands({
        ssh: "/usr/bin/ssh",
        config,
        port: commandPort,
        commands,
        theirs: subject === "host" ? dir.file("bin", "postern") : "/usr/bin/ssh",
      }),
    );
  }
  const needsSudo = name === "password" || name === "kbdint";
  return {
    PATH: `${dir.file("bin")}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
    HOME: dir.file("home"),
    TMPDIR: dir.file("tmp"),
    BUILDDIR: dir.file("regress"),
    TEST_SHELL: "/bin/sh",
    TEST_SSH_SSH: ssh,
    TEST_SSH_SSHD: subject === "host" ? dir.file("bin", "postern-host") : "/usr/sbin/sshd",
    TEST_SSH_SSHD_SESSION: "/usr/lib/openssh/sshd-session",
    TEST_SSH_SSHD_AUTH: "/usr/lib/openssh/sshd-auth",
    TEST_SSH_SSHAGENT: "/usr/bin/ssh-agent",
    TEST_SSH_SSHADD: "/usr/bin/ssh-add",
    TEST_SSH_SSHKEYGEN: "/usr/bin/ssh-keygen",
    TEST_SSH_SSHKEYSCAN: "/usr/bin/ssh-keyscan",
    TEST_SSH_SFTPSERVER: "/usr/lib/openssh/sftp-server",
    TEST_SSH_UNSAFE_PERMISSIONS: "1",
    // These two ask for it, because they need a password of the user. The user is root here.
    ...(needsSudo && { SUDO: "env", TEST_SSH_SSHD_CONFOPTS: "PermitRootLogin yes" }),
  };
}

/** Writes the account of root, with a home and a password of its own. */
async function writeAccounts(dir: TempDir, release: Release, password: string): Promise<void> {
  const others = readFileSync(pathIn(release, "/etc/passwd"), "utf8").replace(/^root:.*\n/m, "");
  writeFileSync(dir.file("etc", "passwd"), `root:x:0:0::${dir.file("home")}:/bin/sh\n${others}`);
  const hash = await run("perl", ["-e", "my $word = <STDIN>; print crypt($word, q($6$postern$))"], { input: password });
  writeFileSync(dir.file("etc", "shadow"), `root:${hash}:19000:0:99999:7:::\n`, { mode: 0o600 });
  writeFileSync(dir.file("etc", "hosts"), "127.0.0.1 localhost\n::1 localhost\n");
  writeFileSync(
    dir.file("etc", "sshd"),
    "auth required pam_unix.so nodelay\naccount required pam_permit.so\nsession required pam_permit.so\n",
  );
}

/** Writes the configuration of the real sshd that runs commands, and returns that of its client. */
async function prepareSide(dir: TempDir): Promise<string> {
  mkdirSync(dir.file("side"));
  for (const name of ["host", "user"]) {
    await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", dir.file("side", name)]);
  }
  const key = readFileSync(dir.file("side", "host.pub"), "utf8");
  writeFileSync(dir.file("side", "known_hosts"), `real ${key}`);
  writeFileSync(
    dir.file("side", "sshd_config"),
    [
      `ListenAddress 127.0.0.1:${commandPort}`,
      `HostKey ${dir.file("side", "host")}`,
      `AuthorizedKeysFile ${dir.file("side", "user.pub")}`,
      `PidFile ${dir.file("side", "pid")}`,
      "StrictModes no",
      "UsePAM no\n",
    ].join("\n"),
  );
  const config = dir.file("side", "ssh_config");
  writeFileSync(
    config,
    [
      "HostName 127.0.0.1",
      "HostKeyAlias real",
      "User root",
      `UserKnownHostsFile ${dir.file("side", "known_hosts")}`,
      "GlobalKnownHostsFile none",
      `IdentityFile ${dir.file("side", "user")}`,
      "IdentitiesOnly yes",
      "BatchMode yes",
      "LogLevel QUIET\n",
    ].join("\n"),
  );
  return config;
}

/** The logs of everything until a failure. */
const failedLogs = ["failed-regress.log", "failed-ssh.log", "failed-sshd.log"];

function logOf(dir: TempDir, name: string): string {
  const path = dir.file("regress", name);
  return existsSync(path) ? `==> ${path}\n${readFileSync(path, "utf8").slice(-50_000)}` : "";
}
