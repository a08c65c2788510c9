/** OpenSSH's `ssh`, without the configuration, keys and known hosts of the user who runs the tests. @module */
import { writeFileSync } from "node:fs";
import type { KeyPair } from "./keys.ts";
import { launch, type Running } from "./process.ts";
import { inside } from "./requirements.ts";
import type { SshServer } from "./sshd.ts";
import { tempDir } from "./temp-dir.ts";

export interface SshClientOptions {
  /** The server: its port on 127.0.0.1, the user, and the host keys that `ssh` accepts. */
  readonly server: SshServer;
  readonly identity?: KeyPair | string;
  /** The answer to each prompt of `ssh`. */
  readonly password?: string;
  /** The lines of known_hosts. Default: the host keys of `server`. */
  readonly knownHosts?: string;
  /** `-o` options. They come before ours, and `ssh` uses the first. */
  readonly config?: Readonly<Record<string, string>>;
  /** A command for the server. Without one, pass `-N` in `args`. */
  readonly command?: readonly string[];
  readonly input?: string;
  /** Further environment variables. */
  readonly env?: Readonly<Record<string, string>>;
  /** The program to start instead of `ssh`, with its first arguments. */
  readonly program?: readonly string[];
  /** The root folder with another ssh, see `newerRoot`. */
  readonly root?: string;
}

/** Starts `ssh ARGS user@127.0.0.1`. It is verbose (`-v`), for `stderr.waitFor(…)`. */
export async function runSsh(args: readonly string[], options: SshClientOptions): Promise<Running> {
  const { server, identity, password, config = {}, command = [], input, root, env = {} } = options;
  const [program = "ssh", ...programArgs] = options.program ?? [];
  const dir = tempDir("postern-ssh");
  const knownHosts = dir.file("known_hosts");
  const askpass = dir.file("askpass");
  writeFileSync(
    knownHosts,
    options.knownHosts ??
      Object.values(server.hostKeys)
        .map(({ publicLine }) => `[127.0.0.1]:${server.port} ${publicLine}\n`)
        .join(""),
  );
  writeFileSync(askpass, '#!/bin/sh\nprintf "%s\\n" "$POSTERN_PASSWORD"\n', { mode: 0o700 });
  const identityFile = typeof identity === "object" ? identity.file : identity;
  const settings = {
    ...config,
    UserKnownHostsFile: knownHosts,
    GlobalKnownHostsFile: "/dev/null",
    StrictHostKeyChecking: "yes",
    UpdateHostKeys: "no",
    IdentitiesOnly: "yes",
    IdentityAgent: "none",
    IdentityFile: identityFile ?? "none",
    BatchMode: password === undefined ? "yes" : "no",
    NumberOfPasswordPrompts: "1",
    ExitOnForwardFailure: "yes",
    ConnectTimeout: "10",
  };
  const process = await launch(
    program,
    [
      ...programArgs,
      "-v",
      "-F",
      "none",
      "-p",
      String(server.port),
      ...Object.entries(settings).flatMap(([name, value]) => ["-o", `${name}=${value}`]),
      ...args,
      `${server.user}@127.0.0.1`,
      ...command,
    ],
    {
      ...(input === undefined ? {} : { input }),
      ...(root === undefined ? {} : { prefix: inside(root) }),
      env: {
        ...env,
        ...(password === undefined
          ? {}
          : { SSH_ASKPASS: askpass, SSH_ASKPASS_REQUIRE: "force", POSTERN_PASSWORD: password }),
      },
    },
  );
  void process.exited.then(() => dir.remove());
  return process;
}

/** Waits until `ssh -R 0:…` has its port, and returns it. */
export async function allocatedPort(ssh: Running): Promise<number> {
  const [, port] = await ssh.stderr.waitFor(/Allocated port (\d+) for remote forward/);
  return Number(port);
}
