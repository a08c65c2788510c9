/** The servers of the table of peers. @module */
import { createHash } from "node:crypto";
import { makeAccount } from "../harness/account.ts";
import { missingClient } from "../harness/clients/programs.ts";
import {
  freePort,
  type KeyType,
  lacks,
  launch,
  type MakeKeyOptions,
  makeKey,
  missing,
  newerRoot,
  type Running,
  run,
  startDropbear,
  startSshd,
  type TempDir,
  tempDir,
} from "../harness/index.ts";
import { compiled, script } from "./build.ts";
import { noGo } from "./clients.ts";
import type { PeerServer, RunningServer, ServerStart } from "./peer.ts";

const python = "/usr/bin/python3";

export const servers: readonly PeerServer[] = [
  openSsh(),
  openSsh({ newer: true }),
  dropbear(),
  dropbear({ newer: true }),
  {
    name: "asyncssh",
    missing: () => missingClient("asyncssh"),
    rekeys: true,
    remarks: "sends data after its KEXINIT; for port 0, opens channels with port 0 instead of the one it chose",
    start: (options) => program(python, [script("asyncssh_server.py")], options),
  },
  {
    name: "paramiko",
    missing: () => missingClient("paramiko"),
    rekeys: true,
    remarks: "has no AES-GCM; answers requests after its KEXINIT",
    start: (options) => program(python, [script("paramiko_server.py")], options),
  },
  {
    name: "libssh",
    missing: () => missing("libssh"),
    rekeys: true,
    remarks: "lists of ciphers end with a comma; logins go step by step",
    start: async (options) => program(await compiled("libssh_server.c", ["ssh"]), [], options),
  },
  {
    name: "Go x/crypto/ssh",
    missing: noGo,
    rekeys: true,
    remarks: "reports no version; tried with Debian's 0.4.0",
    start: async (options) => program(await compiled("go_server.go"), [], options),
  },
  {
    name: "ssh2",
    missing: () => undefined,
    rekeys: true,
    remarks: "closes a channel when its own side ends",
    start: (options) => program(process.execPath, [script("ssh2_server.mjs")], options),
  },
  {
    name: "dev-tunnels-ssh",
    missing: () => undefined,
    rekeys: true,
    keyType: "ecdsa256",
    remarks:
      "needs ECDH and ECDSA keys; rejects our rekey, and sends data after its KEXINIT; closes a channel when one side ends",
    start: (options) =>
      program(process.execPath, [script("dev_tunnels_server.mjs")], options, { type: "ecdsa256", format: "PKCS8" }),
  },
  {
    name: "tinysshd",
    missing: () => lacks("tinysshd", "tinysshd") ?? missing("password"),
    rekeys: false,
    remarks: "forwards nothing: answers UNIMPLEMENTED to tcpip-forward",
    start: startTinysshd,
  },
];

function openSsh({ newer = false } = {}): PeerServer {
  return {
    name: "OpenSSH sshd",
    newer,
    missing: () => missing("sshd", ...(newer ? (["newer"] as const) : [])),
    rekeys: true,
    start: ({ user, rekeyBytes }) =>
      startSshd({
        authorizedKeys: [user.publicLine],
        config: rekeyBytes === undefined ? {} : { RekeyLimit: String(rekeyBytes) },
        ...(newer ? { root: newerRoot() } : {}),
      }),
  };
}

function dropbear({ newer = false } = {}): PeerServer {
  return {
    name: "dropbear",
    newer,
    missing: () => missing("dropbear", ...(newer ? (["newer"] as const) : [])),
    rekeys: false,
    remarks: "refuses cancel-tcpip-forward: the port is free when the tunnel ends",
    start: ({ user }) => startDropbear({ authorizedKeys: [user.publicLine], ...(newer ? { root: newerRoot() } : {}) }),
  };
}

/** Starts one of our programs. All take the same arguments. */
async function program(
  command: string,
  args: readonly string[],
  { user, rekeyBytes = 0 }: ServerStart,
  { type = "ed25519", format }: { type?: KeyType; format?: MakeKeyOptions["format"] } = {},
): Promise<RunningServer> {
  const dir = tempDir("postern-peer");
  const hostKey = await makeKey(type, dir.file("host"), { format });
  const port = await freePort();
  const ours = [port, hostKey.file, user.publicLine, rekeyBytes].map(String);
  const server = await launch(command, [...args, ...ours], { env: { HOME: dir.path } });
  return running(server, dir, port, "test", { [type]: hostKey });
}

/** tinysshd serves one connection on its standard input and output. */
async function startTinysshd({ user }: ServerStart): Promise<RunningServer> {
  const dir = tempDir("postern-tinysshd");
  const account = await makeAccount(dir, { password: undefined, authorizedKeys: [user.publicLine] });
  await run("tinysshd-makekey", [dir.file("keys")]);
  const publicLine = (await run("tinysshd-printkey", [dir.file("keys")])).trim().split(" ").slice(0, 2).join(" ");
  const port = await freePort();
  const args = [script("inetd.py"), String(port), "tinysshd", "-v", dir.file("keys")];
  const server = await launch(python, args, { prefix: account.prefix });
  return running(server, dir, port, account.user, { ed25519: { publicLine, fingerprint: fingerprintOf(publicLine) } });
}

async function running(
  server: Running,
  dir: TempDir,
  port: number,
  user: string,
  hostKeys: RunningServer["hostKeys"],
): Promise<RunningServer> {
  await server.stdout.waitFor(/ready/);
  return {
    port,
    user,
    hostKeys,
    log: server.stderr.text,
    async stop() {
      await server.stop();
      dir.remove();
    },
  };
}

function fingerprintOf(publicLine: string): string {
  const blob = Buffer.from(publicLine.split(" ")[1] ?? "", "base64");
  return `SHA256:${createHash("sha256").update(blob).digest("base64").replace(/=+$/, "")}`;
}
