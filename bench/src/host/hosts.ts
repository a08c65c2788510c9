/** The compared SSH servers, and how each is started: for one user with one key, on loopback. @module */
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { startDropbear } from "../../../integration/harness/dropbear.ts";
import { makeKey } from "../../../integration/harness/keys.ts";
import { launch } from "../../../integration/harness/process.ts";
import { missing, newerRoot } from "../../../integration/harness/requirements.ts";
import { type Sshd, startSshd } from "../../../integration/harness/sshd.ts";
import { tempDir } from "../../../integration/harness/temp-dir.ts";
import { aes128, aes256, chacha20, versionOf } from "../clients.ts";
import { ownNode } from "../nodes/find-nodes.ts";
import { familyOf } from "../proc.ts";
import { nativeSsh2, plainSsh2 } from "../ssh2-binding.ts";

export type HostName = "tunnelhost" | "tunnelhost-workers" | "sshd" | "sshd-newer" | "dropbear" | "ssh2-server";

export interface HostOptions {
  readonly authorizedKeys: readonly string[];
  /** The folder for a CPU profile; undefined for none. */
  readonly profiles: string | undefined;
}

export interface Host {
  readonly name: HostName;
  readonly title: string;
  readonly version: string;
  readonly ciphers: readonly string[];
  /** The forwardings that one client may have. */
  readonly maxForwardings: number;
  start(options: HostOptions): Promise<RunningHost>;
}

/** A started server, with the facts that a client needs. */
export interface RunningHost extends Pick<Sshd, "port" | "user" | "hostKeys" | "fingerprint"> {
  /** Returns all processes of the server. */
  readonly pids: () => readonly number[];
  stop(): Promise<void>;
}

/** As many as the machine of the published figures has cores. */
export const workers = 2;

const all = [aes128, aes256, chacha20];
const many = { ciphers: all, maxForwardings: 1_000 };

/** Returns the servers that can run here, and in `absent` why others cannot. */
export function findHosts(
  folder: string,
  cache: string,
): { readonly hosts: readonly Host[]; readonly absent: readonly string[] } {
  const native = nativeSsh2(folder, cache, ownNode());
  const isNative = "module" in native;
  const noNewer = missing("sshd", "password", "newer");
  const noDropbear = missing("dropbear");
  const postern = versionOf(folder, "@postern/node");
  const tunnelHost = join(folder, "hosts", "postern.mjs");
  const ssh2 = { module: isNative ? native.module : plainSsh2(folder) };
  const hosts: Host[] = [
    {
      ...many,
      name: "tunnelhost",
      title: "TunnelHost",
      version: postern,
      start: (options) => startProgram(tunnelHost, {}, options),
    },
    {
      ...many,
      name: "tunnelhost-workers",
      title: `TunnelHost, ${workers} workers`,
      version: postern,
      start: (options) => startProgram(tunnelHost, { workers }, options),
    },
    {
      ...many,
      name: "sshd",
      title: "sshd",
      version: versionIn("", "sshd", /OpenSSH_[^\s,]+/),
      start: (options) => openssh(options, undefined),
    },
  ];
  if (noNewer === undefined) {
    const root = newerRoot();
    const version = versionIn(root, "sshd", /OpenSSH_[^\s,]+/);
    hosts.push({
      ...many,
      name: "sshd-newer",
      title: `sshd ${/\d[^p]*/.exec(version)?.[0] ?? "newer"}`,
      version,
      start: (options) => openssh(options, root),
    });
  }
  if (noDropbear === undefined) {
    hosts.push({
      name: "dropbear",
      title: "dropbear (ChaCha20 only)",
      version: versionIn("", "dropbear", /v\d\S+/),
      // Debian builds it without AES-GCM. Its limit is MAX_LISTENERS in tcp-accept's listener.h.
      ciphers: [chacha20],
      maxForwardings: 20,
      start: dropbear,
    });
  }
  hosts.push({
    ...many,
    name: "ssh2-server",
    title: `ssh2 server${isNative ? ", native binding" : ""}`,
    version: versionOf(folder, "ssh2"),
    start: (options) => startProgram(join(folder, "hosts", "ssh2.mjs"), ssh2, options),
  });
  const absent: string[] = [];
  if (noNewer !== undefined) absent.push(`a newer sshd: ${noNewer}`);
  if (noDropbear !== undefined) absent.push(`dropbear: ${noDropbear}`);
  if (!isNative) absent.push(`the binding of the ssh2 server: ${native.missing}`);
  return { hosts, absent };
}

/** Starts a program of `hosts/`. It prints its port. */
async function startProgram(file: string, orders: object, options: HostOptions): Promise<RunningHost> {
  const dir = tempDir("postern-bench-host");
  try {
    const key = await makeKey("ed25519", dir.file("host_key"));
    const authorizedKeysFile = dir.file("authorized_keys");
    writeFileSync(authorizedKeysFile, options.authorizedKeys.join("\n"));
    const user = "bench";
    const profile =
      options.profiles === undefined
        ? []
        : ["--cpu-prof", `--cpu-prof-dir=${options.profiles}`, `--cpu-prof-name=host-${Date.now()}.cpuprofile`];
    const told = JSON.stringify({ ...orders, user, hostKeyFile: key.file, authorizedKeysFile });
    const process = await launch(globalThis.process.execPath, [...profile, file, told]);
    const stop = async (): Promise<void> => {
      // The program writes its profile.
      if (options.profiles !== undefined && isSignalled(process.pid)) await process.exited;
      await process.stop();
      dir.remove();
    };
    try {
      const [, port] = await process.stdout.waitFor(/port (\d+)/);
      return {
        port: Number(port),
        user,
        hostKeys: { ed25519: key },
        fingerprint: () => key.fingerprint,
        pids: () => familyOf(dir.path),
        stop,
      };
    } catch (error) {
      await stop();
      throw new Error(`${file} did not start: ${process.stderr.text().slice(0, 500)}`, { cause: error });
    }
  } catch (error) {
    dir.remove();
    throw error;
  }
}

function isSignalled(pid: number): boolean {
  try {
    return process.kill(pid, "SIGINT");
  } catch {
    return false;
  }
}

async function openssh({ authorizedKeys }: HostOptions, root: string | undefined): Promise<RunningHost> {
  const config = { LogLevel: "INFO", MaxStartups: "1000" };
  const sshd = await startSshd({ authorizedKeys, config, ...(root === undefined ? {} : { root }) });
  return { ...sshd, pids: () => familyOf(sshd.dir) };
}

async function dropbear({ authorizedKeys }: HostOptions): Promise<RunningHost> {
  const server = await startDropbear({ authorizedKeys });
  const key = server.hostKeys.ed25519;
  return { ...server, fingerprint: () => key?.fingerprint ?? "", pids: () => familyOf(server.dir) };
}

/** Returns the version that a server in a root folder prints. */
function versionIn(root: string, program: string, pattern: RegExp): string {
  const path = `/usr/sbin/${program}`;
  const [command = "", ...args] = root === "" ? [path, "-V"] : ["chroot", root, path, "-V"];
  const { stdout, stderr } = spawnSync(command, args, { encoding: "utf8" });
  const found = pattern.exec(`${stdout}${stderr}`);
  if (found !== null) return found[0];
  // A chroot without /dev may refuse to start, and sshd has its version in its file.
  const text = readFileSync(`${root}${path}`, "latin1");
  return pattern.exec(text)?.[0] ?? "?";
}
