/** The clients of the table of peers. @module */
import { mkdirSync, writeFileSync } from "node:fs";
import { nextEvent } from "../harness/clients/host.ts";
import { dbclient, missingClient, plink, pythonClient } from "../harness/clients/programs.ts";
import {
  inside,
  lacks,
  lacksFile,
  launch,
  missing,
  newerRoot,
  noCompiler,
  type Running,
  run,
  runSsh,
  tempDir,
} from "../harness/index.ts";
import { compiled, script } from "./build.ts";
import type { ClientStart, PeerClient, StartedClient } from "./peer.ts";

export const clients: readonly PeerClient[] = [
  openSsh(),
  openSsh({ newer: true }),
  {
    name: "autossh",
    missing: () => lacks("autossh", "autossh") ?? missing("ssh"),
    rekeys: true,
    remarks: "`autossh -M 0`; reports the version of the `ssh` that it starts",
    start: (options) => startSsh(options, { program: ["autossh", "-M", "0"] }),
  },
  dropbear(),
  dropbear({ newer: true }),
  {
    name: "PuTTY plink",
    missing: () => missingClient("plink"),
    rekeys: true,
    remarks: "no command cancels a forwarding",
    async start({ server, user, listen, target, rekeyBytes }) {
      if (rekeyBytes !== undefined) {
        mkdirSync(server.dir.file(".putty", "sessions"), { recursive: true });
        writeFileSync(server.dir.file(".putty", "sessions", "rekey"), `RekeyBytes=${rekeyBytes}\n`);
      }
      const args = rekeyBytes === undefined ? [] : ["-load", "rekey"];
      const client = await plink({ server, identity: user, listen, target, args });
      return {
        listening: client.stderr.waitFor(/Remote port forwarding from \S+ enabled/),
        log: client.stderr.text,
        stop: client.stop,
      };
    },
  },
  {
    name: "asyncssh",
    missing: () => missingClient("asyncssh"),
    rekeys: true,
    remarks: "sends data after its KEXINIT",
    async start({ server, user, listen, target, rekeyBytes }) {
      const fields = rekeyBytes === undefined ? {} : { settings: { rekey_bytes: rekeyBytes } };
      return own(await pythonClient("asyncssh", { server, identity: user, listen, target, fields }));
    },
  },
  {
    name: "paramiko",
    missing: () => missingClient("paramiko"),
    rekeys: true,
    async start({ server, user, listen, target, rekeyBytes }) {
      const fields = rekeyBytes === undefined ? {} : { rekeyBytes };
      return own(await pythonClient("paramiko", { server, identity: user, listen, target, fields }));
    },
  },
  {
    name: "libssh",
    missing: () => missing("libssh"),
    rekeys: true,
    remarks: "lists of ciphers end with a comma",
    start: async (options) => program(await compiled("libssh_client.c", ["ssh"]), [], options),
  },
  {
    name: "libssh2",
    missing: () => noCompiler() ?? lacksFile("/usr/include/libssh2.h", "libssh2-1-dev"),
    rekeys: false,
    remarks: "needs a MAC over the plaintext; never starts a rekey",
    start: async (options) => program(await compiled("libssh2_client.c", ["ssh2"]), [], options),
  },
  {
    name: "Go x/crypto/ssh",
    missing: noGo,
    rekeys: true,
    remarks: "reports no version; tried with Debian's 0.4.0",
    start: async (options) => program(await compiled("go_client.go"), [], options),
  },
  {
    name: "ssh2",
    missing: () => undefined,
    rekeys: false,
    remarks: "never starts a rekey",
    start: (options) => program(process.execPath, [script("ssh2_client.mjs")], options, "SIGUSR2"),
  },
  {
    name: "dev-tunnels-ssh",
    missing: () => undefined,
    rekeys: true,
    keyType: "ecdsa256",
    keyFormat: "PKCS8",
    remarks:
      "needs ECDH and ECDSA keys; rejects our rekey, and sends data after its KEXINIT; closes a channel when one side ends",
    start: (options) => program(process.execPath, [script("dev_tunnels_client.mjs")], options, "SIGUSR2"),
  },
];

/** Returns undefined if Go programs can be compiled, otherwise the reason. */
export function noGo(): string | undefined {
  const library = "/usr/share/gocode/src/golang.org/x/crypto/ssh";
  return lacks("go", "golang-go") ?? lacksFile(library, "golang-golang-x-crypto-dev");
}

function openSsh({ newer = false } = {}): PeerClient {
  return {
    name: "OpenSSH ssh",
    newer,
    missing: () => missing("ssh", ...(newer ? (["newer"] as const) : [])),
    rekeys: true,
    async start(options) {
      const root = newer ? newerRoot() : undefined;
      const control = tempDir("postern-control");
      const socket = ["-S", control.file("socket")];
      const client = await startSsh(options, { args: ["-M", ...socket], ...(root === undefined ? {} : { root }) });
      const cancel = ["-F", "none", "-O", "cancel", "-R", forward(options), "x"];
      return {
        ...client,
        cancel: () => run("ssh", [...socket, ...cancel], root === undefined ? {} : { prefix: inside(root) }),
        async stop() {
          await client.stop();
          control.remove();
        },
      };
    },
  };
}

function dropbear({ newer = false } = {}): PeerClient {
  return {
    name: "dropbear dbclient",
    newer,
    missing: () => missingClient("dbclient") ?? (newer ? missing("newer") : undefined),
    rekeys: false,
    remarks: "no command cancels a forwarding",
    async start({ server, user, listen, target }) {
      const root = newer ? newerRoot() : undefined;
      // dbclient does not print that it listens.
      const opened = server.host && nextEvent(server.host, "forwardingopened");
      const client = await dbclient({ server, identity: user, listen, target, root });
      return {
        listening: opened === undefined ? ended(client) : Promise.race([opened, ended(client)]),
        log: client.stderr.text,
        stop: client.stop,
      };
    },
  };
}

const forward = ({ listen, target }: ClientStart): string => `${listen}:127.0.0.1:${target}`;

async function startSsh(
  options: ClientStart,
  { args = [], ...how }: { args?: readonly string[]; program?: readonly string[]; root?: string },
): Promise<StartedClient> {
  const { server, user, rekeyBytes } = options;
  const config = rekeyBytes === undefined ? {} : { RekeyLimit: String(rekeyBytes) };
  const client = await runSsh(["-N", "-R", forward(options), ...args], { server, identity: user, config, ...how });
  return {
    listening: client.stderr.waitFor(/remote forward success for/),
    log: client.stderr.text,
    stop: client.stop,
  };
}

/** Starts one of our programs. All take the same arguments. */
async function program(
  command: string,
  args: readonly string[],
  { server, user, listen, target, rekeyBytes = 0 }: ClientStart,
  cancelSignal?: NodeJS.Signals,
): Promise<StartedClient> {
  const [hostKey] = Object.values(server.hostKeys);
  const ours = [server.port, server.user, user.file, hostKey?.publicLine, listen, target, rekeyBytes].map(String);
  return own(await launch(command, [...args, ...ours], { env: { HOME: server.dir.path } }), cancelSignal);
}

function own(client: Running, cancelSignal: NodeJS.Signals = "SIGUSR1"): StartedClient {
  return {
    listening: client.stdout.waitFor(/listening (\d+)/),
    cancel: () => {
      process.kill(client.pid, cancelSignal);
      return client.stdout.waitFor(/cancelled/);
    },
    log: () => client.stderr.text() + client.stdout.text(),
    stop: client.stop,
  };
}

async function ended(client: Running): Promise<never> {
  const code = await client.exited;
  throw new Error(`ended with ${code}: ${client.stderr.text()}`);
}
