/** OpenSSH and dropbear of this machine, or of a newer Debian in a folder. @module */
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
// biome-ignore lint/correctness/useImportExtensions: the declarations are beside the module that Node.js can import.
import { newerDebian } from "../../scripts/lib/newer-debian.mjs";

const isRoot = () => userInfo().uid === 0;
export const withoutComment = (text) => text.split(" ").slice(0, 2).join(" ");

/** Returns what a program prints. */
export function output(program, args) {
  return execFileSync("sh", ["-c", '"$@" 2>&1', "sh", program, ...args], { encoding: "utf8" });
}

/** How a program of a machine is run: its root folder, and the command that enters it. */
function machine(newer) {
  if (!newer) return { root: "/", enter: (command) => command };
  const { folder, isThere } = newerDebian();
  if (!isThere) throw new Error(`${folder} is missing, which scripts/setup-tests.mjs makes where it may`);
  const script = `mount -t proc proc "$1/proc" && mount --rbind /dev "$1/dev" && mkdir -p "$1$2" &&
    mount --bind "$2" "$1$2" && root=$1 && shift 2 && exec chroot "$root" "$@"`;
  const namespaces = ["--mount", "--propagation", "private", "--pid", "--fork", "--kill-child"];
  return {
    root: folder,
    enter: (command) => ["unshare", ...namespaces, "sh", "-c", script, "sh", folder, tmpdir(), ...command],
  };
}

/** Returns the entry of OpenSSH in the table of programs. `folder` is for its files. */
export function openSsh(folder, { newer = false } = {}) {
  return {
    version: () => {
      const [program = "", ...args] = machine(newer).enter(["ssh", "-V"]);
      return output(program, args).split(",")[0] ?? "OpenSSH";
    },
    server({ port, hostKeyFile, userPublicKey }) {
      const { root, enter } = machine(newer);
      const file = join(folder, "sshd_config");
      writeFileSync(join(folder, "authorized_keys"), `${userPublicKey}\n`);
      const lines = {
        AuthorizedKeysFile: join(folder, "authorized_keys"),
        HostKey: hostKeyFile,
        ListenAddress: `127.0.0.1:${port}`,
        LogLevel: "QUIET",
        MaxStartups: "1000",
        PasswordAuthentication: "no",
        PermitRootLogin: "yes",
        // Introduced in 9.8. The traces provoke penalties, and all come from one address.
        ...(newer ? { PerSourcePenalties: "no" } : {}),
        PidFile: "none",
        StrictModes: "no",
        UsePAM: "no",
      };
      writeFileSync(
        file,
        Object.entries(lines)
          .map(([name, value]) => `${name} ${value}\n`)
          .join(""),
      );
      if (isRoot()) mkdirSync(join(root, "run", "sshd"), { recursive: true, mode: 0o755 });
      return enter(["/usr/sbin/sshd", "-D", "-f", file]);
    },
    client({ port, user, userKeyFile, hostPublicKey, echoPort }) {
      const known = join(folder, "known_hosts");
      writeFileSync(known, `[127.0.0.1]:${port} ${withoutComment(hostPublicKey)}\n`);
      const options = {
        BatchMode: "yes",
        ConnectTimeout: "5",
        GlobalKnownHostsFile: "none",
        IdentitiesOnly: "yes",
        IdentityFile: userKeyFile,
        LogLevel: "ERROR",
        StrictHostKeyChecking: "yes",
        UpdateHostKeys: "no",
        UserKnownHostsFile: known,
      };
      const lines = Object.entries(options).flatMap(([name, value]) => ["-o", `${name}=${value}`]);
      const forward = ["-R", `localhost:0:127.0.0.1:${echoPort}`];
      const { enter } = machine(newer);
      return enter(["ssh", "-F", "none", "-N", "-p", String(port), ...lines, ...forward, `${user}@127.0.0.1`]);
    },
  };
}

/** Returns the entry of dropbear in the table of programs. `folder` is for its files. */
export function dropbear(folder, { newer = false } = {}) {
  return {
    version: () => {
      const [program = "", ...args] = machine(newer).enter(["dropbear", "-V"]);
      return output(program, args).trim();
    },
    /** dropbear reads the keys of the user's home alone: a private /etc/passwd names another one. */
    server({ port, hostKeyFile, userPublicKey, user }) {
      if (!isRoot()) throw new Error("expected root, because dropbear needs a user with another home");
      const { root, enter } = machine(newer);
      const passwd = join(root, "etc", "passwd");
      const key = join(folder, "host.dropbear");
      execFileSync("dropbearconvert", ["openssh", "dropbear", hostKeyFile, key], { stdio: "ignore" });
      mkdirSync(join(folder, ".ssh"), { recursive: true, mode: 0o700 });
      writeFileSync(join(folder, ".ssh", "authorized_keys"), `${userPublicKey}\n`, { mode: 0o600 });
      writeFileSync(join(folder, "passwd"), `${user}:x:0:0::${folder}:/bin/sh\n${readFileSync(passwd, "utf8")}`);
      const withAccount = 'mount --bind "$1" "$2" && shift 2 && exec "$@"';
      const command = ["dropbear", "-F", "-s", "-r", key, "-P", join(folder, "pid"), "-p", `127.0.0.1:${port}`];
      const account = ["sh", "-c", withAccount, "sh", join(folder, "passwd"), passwd];
      return ["unshare", "--mount", ...account, ...enter(command)];
    },
    client({ port, user, userKeyFile, hostPublicKey, echoPort }) {
      const key = join(folder, "user.dropbear");
      execFileSync("dropbearconvert", ["openssh", "dropbear", userKeyFile, key], { stdio: "ignore" });
      mkdirSync(join(folder, ".ssh"), { recursive: true });
      writeFileSync(join(folder, ".ssh", "known_hosts"), `127.0.0.1 ${withoutComment(hostPublicKey)}\n`);
      const forward = ["-R", `4711:127.0.0.1:${echoPort}`];
      const { enter } = machine(newer);
      return enter(["dbclient", "-N", "-T", "-i", key, "-p", String(port), ...forward, `${user}@127.0.0.1`]);
    },
  };
}
