/** The compared clients, and how each is started: with the same forwarding, in a separate process. @module */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "../../integration/harness/ports.ts";
import { launch, type Running, run } from "../../integration/harness/process.ts";
import { type Node, ownNode } from "./nodes/find-nodes.ts";
import { clockMs } from "./orders.ts";
import { nativeSsh2, plainSsh2, type Ssh2 } from "./ssh2-binding.ts";
import type { Stage } from "./stage.ts";

export type ClientName =
  | "ssh"
  | "command"
  | "autossh"
  | "postern"
  | "postern-noble"
  | "ssh2"
  | "ssh2-js"
  | "dev-tunnels"
  | "relay"
  | "floor";

export interface Client {
  readonly name: ClientName;
  readonly title: string;
  readonly version: string;
  /** Undefined for a client without encryption. */
  readonly ciphers: readonly string[] | undefined;
  /** The Node.js that runs it; undefined for a client in C. */
  readonly node: Node | undefined;
  /** The modules for `import.mjs`; undefined for a client that is not JavaScript. */
  readonly modules: readonly string[] | undefined;
  /** Takes part only in the cases that name it, because another client has the same code. */
  readonly onlyIfNamed?: true;
  /** Returns the command line. `port` is the port of sshd or of a link in front of it. */
  command(stage: Stage, told: Told): readonly [command: string, ...args: string[]];
}

export interface Told {
  readonly port: number;
  readonly cipher: string;
  readonly listenPort: number;
  /** More forwarded ports, requested before `listenPort`. */
  readonly otherPorts?: readonly number[];
  /** A known_hosts file with the host key. Default: one line, or its fingerprint. */
  readonly knownHosts?: string;
}

export interface Started {
  readonly pid: number;
  /** The port for visitors. */
  readonly port: number;
  /** `clockMs` at the start, and when the port accepted connections. */
  readonly startedAt: number;
  readonly openAt: number;
  readonly process: Running;
}

export const aes128 = "aes128-gcm@openssh.com";
export const aes256 = "aes256-gcm@openssh.com";
export const chacha20 = "chacha20-poly1305@openssh.com";
const all = [aes128, aes256, chacha20];

/** Returns the clients that can run here, those in JavaScript on each Node.js, and in `absent` why others cannot. */
export async function findClients(
  folder: string,
  cache: string,
  nodes: readonly Node[] = [ownNode()],
): Promise<{ readonly clients: readonly Client[]; readonly absent: readonly string[] }> {
  const hasAutossh = existsSync("/usr/bin/autossh");
  const clients: Client[] = [
    {
      name: "ssh",
      title: "ssh -R",
      version: await sshVersion(),
      ciphers: all,
      node: undefined,
      modules: undefined,
      command: openssh,
    },
    ...(hasAutossh ? [{ ...autossh, version: (await run("autossh", ["-V"])).trim() }] : []),
  ];
  const absent: string[] = [];
  for (const node of nodes) {
    const native = nativeSsh2(folder, cache, node);
    clients.push(...clientsOn(node, folder, native));
    if ("missing" in native) absent.push(`ssh2, native binding, on Node.js ${node.version}: ${native.missing}`);
  }
  if (!hasAutossh) absent.push("autossh: it is not installed");
  return { clients, absent };
}

function clientsOn(own: Node, folder: string, native: Ssh2): readonly Client[] {
  const node = (name: string, orders: object): readonly [string, ...string[]] => [
    own.program,
    join(folder, "clients", `${name}.mjs`),
    JSON.stringify(orders),
  ];
  const program = join(folder, "..", "packages", "cli", "dist", "postern.js");
  const postern = versionOf(folder, "@postern/node");
  const ssh2 = (name: ClientName, title: string, module: string): Omit<Client, "node"> => ({
    name,
    title,
    version: versionOf(folder, "ssh2"),
    ciphers: all,
    modules: [module],
    command: (stage, told) => node("ssh2", { ...common(stage, told), module }),
  });
  const clients: readonly Omit<Client, "node">[] = [
    {
      name: "command",
      title: "postern -R",
      version: postern,
      ciphers: all,
      modules: undefined,
      onlyIfNamed: true,
      command: (stage, told) => [own.program, program, ...openssh(stage, told).slice(1)],
    },
    {
      name: "postern",
      title: "Postern, node:crypto",
      version: postern,
      ciphers: all,
      modules: ["@postern/node"],
      command: (stage, told) => node("postern", common(stage, told)),
    },
    {
      name: "postern-noble",
      title: "Postern, noble only",
      version: postern,
      ciphers: all,
      modules: ["@postern/node", "@postern/crypto", "@postern/keys"],
      command: (stage, told) => node("postern", { ...common(stage, told), implementation: "noble" }),
    },
    ...("module" in native ? [ssh2("ssh2", "ssh2, native binding", native.module)] : []),
    ssh2("ssh2-js", "ssh2, no binding", plainSsh2(folder)),
    {
      name: "dev-tunnels",
      title: "dev-tunnels (AES-256)",
      version: versionOf(folder, "@microsoft/dev-tunnels-ssh-tcp"),
      ciphers: [aes256],
      modules: ["@microsoft/dev-tunnels-ssh", "@microsoft/dev-tunnels-ssh-keys", "@microsoft/dev-tunnels-ssh-tcp"],
      command: (stage, told) =>
        node("dev-tunnels", {
          ...common(stage, told),
          keyFile: stage.keys.ecdsa256.file,
          hostKey: stage.sshd.fingerprint("ecdsa256"),
        }),
    },
    {
      name: "floor",
      title: "Floor: relay and cipher",
      version: own.version,
      ciphers: all,
      modules: undefined,
      onlyIfNamed: true,
      command: ({ targetPort }, { listenPort, cipher }) => node("floor", { targetPort, listenPort, cipher }),
    },
    {
      name: "relay",
      title: "Node relay, no SSH",
      version: own.version,
      ciphers: undefined,
      modules: undefined,
      command: ({ targetPort }, { listenPort }) => node("relay", { targetPort, listenPort }),
    },
  ];
  return clients.map((client) => ({ ...client, node: own }));
}

const autossh: Omit<Client, "version"> = {
  name: "autossh",
  title: "autossh -M 0 -R",
  ciphers: all,
  node: undefined,
  modules: undefined,
  onlyIfNamed: true,
  command: (stage, told) => ["autossh", "-M", "0", ...openssh(stage, told).slice(1)],
};

/** Starts a client and waits until its port is open. {@link stop} ends it. */
export async function start(
  stage: Stage,
  client: Client,
  cipher: string,
  port: number = stage.sshd.port,
  more: Pick<Told, "otherPorts" | "knownHosts"> = {},
): Promise<Started> {
  const listenPort = await freePort();
  const [command, ...args] = client.command(stage, { port, cipher, listenPort, ...more });
  if (stage.profiles !== undefined && client.name.startsWith("postern")) {
    const name = `${client.name}-${Date.now()}.cpuprofile`;
    args.unshift("--cpu-prof", `--cpu-prof-dir=${stage.profiles}`, `--cpu-prof-name=${name}`);
  }
  stage.signal.throwIfAborted();
  const startedAt = clockMs();
  const process = await launch(command, args);
  stage.running.add(process);
  try {
    const openAt = await Promise.race([
      stage.visitors.waitOpen(listenPort, 15_000),
      process.exited.then((code) => {
        throw new Error(`it ended with ${code}`);
      }),
    ]);
    return { pid: process.pid, port: listenPort, startedAt, openAt, process };
  } catch (error) {
    await stop(stage, process);
    const said = process.stderr.text().trim().split("\n").slice(0, 8).join("\n");
    throw new Error(`${client.title} did not open its port: ${String(error)}\n${said}`);
  }
}

/** Ends a client, and waits until it has written its profile. */
export async function stop(stage: Stage, process: Running): Promise<void> {
  if (stage.profiles !== undefined) {
    try {
      globalThis.process.kill(process.pid, "SIGINT");
      await Promise.race([process.exited, sleep(5_000)]);
    } catch {
      // It has ended by itself.
    }
  }
  await process.stop();
  stage.running.delete(process);
}

/** Returns the client's cipher in place of another: dev-tunnels has only one, the relay none. */
export function cipherFor(client: Pick<Client, "ciphers">, cipher: string): string | undefined {
  if (client.ciphers?.includes(cipher)) return cipher;
  return cipher === aes128 ? (client.ciphers?.[0] ?? cipher) : undefined;
}

function common({ sshd, keys, targetPort }: Stage, told: Told): object {
  return {
    host: "127.0.0.1",
    user: sshd.user,
    keyFile: keys.ed25519.file,
    hostKey: sshd.fingerprint("ed25519"),
    targetPort,
    ...told,
  };
}

/** Without `-v`, and with the key exchange of the others, because OpenSSH's default takes 130 ms of CPU. */
function openssh({ sshd, keys, targetPort, dir }: Stage, told: Told): readonly [string, ...string[]] {
  const knownHosts = told.knownHosts ?? dir.file(`known_hosts_${told.listenPort}`);
  if (told.knownHosts === undefined) {
    writeFileSync(knownHosts, `[127.0.0.1]:${told.port} ${sshd.hostKeys.ed25519?.publicLine}\n`);
  }
  const settings = {
    Ciphers: told.cipher,
    KexAlgorithms: "curve25519-sha256",
    HostKeyAlgorithms: "ssh-ed25519",
    UserKnownHostsFile: knownHosts,
    GlobalKnownHostsFile: "/dev/null",
    StrictHostKeyChecking: "yes",
    UpdateHostKeys: "no",
    IdentitiesOnly: "yes",
    IdentityAgent: "none",
    IdentityFile: keys.ed25519.file,
    BatchMode: "yes",
    ExitOnForwardFailure: "yes",
  };
  return [
    "ssh",
    "-N",
    "-T",
    "-F",
    "none",
    "-p",
    String(told.port),
    ...Object.entries(settings).flatMap(([name, value]) => ["-o", `${name}=${value}`]),
    ...[...(told.otherPorts ?? []), told.listenPort].flatMap((port) => [
      "-R",
      `localhost:${port}:127.0.0.1:${targetPort}`,
    ]),
    `${sshd.user}@127.0.0.1`,
  ];
}

async function sshVersion(): Promise<string> {
  // `ssh -V` prints to standard error.
  return (await run("sh", ["-c", "ssh -V 2>&1"])).trim().split(",")[0] ?? "";
}

export function versionOf(folder: string, name: string): string {
  const require = createRequire(join(folder, "package.json"));
  const paths = require.resolve.paths(name) ?? [];
  for (const path of paths) {
    try {
      return JSON.parse(readFileSync(join(path, name, "package.json"), "utf8")).version;
    } catch {
      // The module is not in that folder.
    }
  }
  return "?";
}
