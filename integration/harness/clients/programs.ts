/** Other clients: dropbear's `dbclient`, PuTTY's `plink`, and the Python libraries asyncssh and paramiko. @module */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import type { KeyPair } from "../keys.ts";
import { launch, type Running, run } from "../process.ts";
import { inside, program } from "../requirements.ts";
import type { ClientTarget } from "./host.ts";

export type ClientProgram = "dbclient" | "plink" | "asyncssh" | "paramiko" | "ssh-audit";

const debianPackages: Readonly<Record<ClientProgram, string>> = {
  dbclient: "dropbear-bin",
  plink: "putty-tools",
  asyncssh: "python3-asyncssh",
  paramiko: "python3-paramiko",
  "ssh-audit": "ssh-audit",
};
const python = "/usr/bin/python3";

/** Returns undefined if the client is installed. Otherwise returns and prints what to install. */
export function missingClient(name: ClientProgram): string | undefined {
  const library = name === "asyncssh" || name === "paramiko";
  const there = library ? spawnSync(python, ["-c", `import ${name}`]).status === 0 : program(name) !== undefined;
  if (there) return undefined;
  const reason = `${name} is not installed: apt-get install ${debianPackages[name]}`;
  process.stderr.write(`skipped: ${reason}\n`);
  return reason;
}

/** A forwarding, with the fields of `ssh -R`. */
export interface TunnelRequest {
  readonly server: ClientTarget;
  /** "" for the client's default. */
  readonly address?: string;
  readonly listen: number;
  readonly target: number;
  /** A key, or the password of the server's user. */
  readonly identity?: KeyPair;
  /** More arguments of the client, or fields of the JSON that the Python clients read. */
  readonly args?: readonly string[];
  readonly fields?: Readonly<Record<string, unknown>>;
  /** The root folder with another dbclient, see `newerRoot`. */
  readonly root?: string | undefined;
}

/** Starts `dbclient -N -R`. It cannot cancel a forwarding. */
export async function dbclient({
  server,
  address = "",
  listen,
  target,
  identity,
  args = [],
  root,
}: TunnelRequest): Promise<Running> {
  const key = server.dir.file("dbclient.key");
  if (identity !== undefined) await run("dropbearconvert", ["openssh", "dropbear", identity.file, key]);
  const forward = `${address === "" ? "" : `${address}:`}${listen}:127.0.0.1:${target}`;
  return await launch(
    "dbclient",
    [
      "-y",
      "-y",
      "-N",
      "-T",
      "-p",
      String(server.port),
      "-R",
      forward,
      ...(identity === undefined ? [] : ["-i", key]),
      ...args,
      `${server.user}@127.0.0.1`,
    ],
    {
      env: { HOME: server.dir.path, ...(identity === undefined ? { DROPBEAR_PASSWORD: server.password } : {}) },
      ...(root === undefined ? {} : { prefix: inside(root) }),
    },
  );
}

/** Starts `plink -N -R`. It cannot cancel a forwarding. */
export async function plink({
  server,
  address = "",
  listen,
  target,
  identity,
  args = [],
}: TunnelRequest): Promise<Running> {
  const key = server.dir.file("plink.ppk");
  if (identity !== undefined) await run("puttygen", [identity.file, "-O", "private", "-o", key]);
  const forward = `${address === "" ? "" : `${address}:`}${listen}:127.0.0.1:${target}`;
  return await launch(
    "plink",
    [
      "-v",
      "-ssh",
      "-batch",
      "-N",
      "-P",
      String(server.port),
      "-l",
      server.user,
      "-R",
      forward,
      "-hostkey",
      server.fingerprint(),
      ...(identity === undefined ? ["-pw", server.password] : ["-i", key]),
      ...args,
      "127.0.0.1",
    ],
    { env: { HOME: server.dir.path } },
  );
}

/** Starts a script of this folder; `kill(pid, "SIGUSR1")` makes it cancel the forwarding. */
export async function pythonClient(name: "asyncssh" | "paramiko", request: TunnelRequest): Promise<Running> {
  const { server, address = "localhost", listen, target, identity, fields = {} } = request;
  const options = {
    port: server.port,
    user: server.user,
    hostKey: server.hostKeys.ed25519?.publicLine,
    address,
    listen,
    target: ["127.0.0.1", target],
    ...(identity === undefined ? { password: server.password } : { keyFile: identity.file }),
    ...fields,
  };
  const script = join(import.meta.dirname, `${name}_tunnel.py`);
  return await launch(python, [script, JSON.stringify(options)], { env: { HOME: server.dir.path } });
}
