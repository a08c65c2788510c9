/** OpenSSH's `sshd` on a loopback port, with its own keys, configuration and user. @module */
import { writeFileSync } from "node:fs";
import { type Account, makeAccount } from "./account.ts";
import { type KeyType, makeKey, type PublicKeyInfo } from "./keys.ts";
import { freePort } from "./ports.ts";
import { launch, type Running } from "./process.ts";
import { program } from "./requirements.ts";
import { type TempDir, tempDir } from "./temp-dir.ts";

export interface SshdOptions {
  /** Lines of sshd_config; they replace ours of the same name (names in any case). A list gives the line several times. */
  readonly config?: Readonly<Record<string, string | readonly string[]>>;
  readonly authorizedKeys?: readonly string[];
  /** In the order of the configuration; `["ed25519"]` unless told. */
  readonly hostKeyTypes?: readonly KeyType[];
  /** Allows logon by password; `true` makes one up. Needs `missing("password") === undefined`. */
  readonly password?: string | true;
}

/** A real SSH server to talk to: what a client has to know of it. */
export interface SshServer {
  readonly port: number;
  readonly user: string;
  readonly hostKeys: Readonly<Partial<Record<KeyType, PublicKeyInfo>>>;
}

export interface Sshd extends SshServer {
  /** The password of `user`, when logon by password was asked for. */
  readonly password: string | undefined;
  /** The folder with everything this server has; gone after `stop`. */
  readonly dir: string;
  /** The fingerprint of the host key of that type, or of the first one. */
  fingerprint(type?: KeyType): string;
  /** What the server logged so far. */
  readonly log: () => string;
  /** Waits for a line of the log. */
  readonly logged: (pattern: RegExp, timeoutMs?: number) => Promise<RegExpMatchArray>;
  /** Breaks every connection; the server goes on listening. */
  dropConnections(): void;
  stop(): Promise<void>;
}

/** Starts sshd and waits until it listens. */
export async function startSshd(options: SshdOptions = {}): Promise<Sshd> {
  const path = program("sshd");
  if (path === undefined) throw new Error("sshd is not installed: apt-get install openssh-server");
  const dir = tempDir("postern-sshd");
  try {
    const types = options.hostKeyTypes ?? ["ed25519"];
    const hostKeys: Partial<Record<KeyType, PublicKeyInfo>> = {};
    for (const type of types) hostKeys[type] = await makeKey(type, dir.file(`host_${type}`));
    const account = await makeAccount(dir, {
      password: options.password === true ? undefined : options.password,
      authorizedKeys: options.authorizedKeys ?? [],
    });
    if (options.password !== undefined && account.password === undefined) {
      throw new Error("a logon by password needs a private account");
    }
    const { port, process } = await listen(path, dir, account, options, types);
    return {
      port,
      user: account.user,
      password: options.password === undefined ? undefined : account.password,
      hostKeys,
      dir: dir.path,
      fingerprint(type = types[0]) {
        const key = type && hostKeys[type];
        if (!key) throw new Error(`this sshd has no ${type} host key`);
        return key.fingerprint;
      },
      log: process.stderr.text,
      logged: process.stderr.waitFor,
      // In a namespace, sshd itself is the child of `unshare`.
      dropConnections: () => process.stopDescendants(account.prefix.length > 0 ? 2 : 1),
      async stop() {
        await process.stop();
        dir.remove();
      },
    };
  } catch (error) {
    dir.remove();
    throw error;
  }
}

async function listen(
  path: string,
  dir: TempDir,
  account: Account,
  options: SshdOptions,
  types: readonly KeyType[],
): Promise<{ port: number; process: Running }> {
  // Another test may take the port between the look and the bind: try again with another one.
  for (let attempt = 1; ; attempt++) {
    const port = await freePort();
    const file = dir.file("sshd_config");
    writeFileSync(file, configuration(port, dir, account, options, types));
    const process = await launch(path, ["-D", "-e", "-f", file], { prefix: account.prefix });
    try {
      await process.stderr.waitFor(/Server listening on \S+ port \d+/);
      return { port, process };
    } catch (error) {
      await process.stop();
      if (attempt === 5 || !/Address already in use/.test(process.stderr.text())) throw error;
    }
  }
}

function configuration(
  port: number,
  dir: TempDir,
  account: Account,
  options: SshdOptions,
  types: readonly KeyType[],
): string {
  const ours: Record<string, string | readonly string[]> = {
    Port: String(port),
    ListenAddress: "127.0.0.1",
    HostKey: types.map((type) => dir.file(`host_${type}`)),
    PidFile: "none",
    AuthorizedKeysFile: account.authorizedKeysFile,
    PasswordAuthentication: options.password === undefined ? "no" : "yes",
    KbdInteractiveAuthentication: "no",
    PermitRootLogin: "yes",
    // The folder lies below /tmp, which everybody may write to.
    StrictModes: "no",
    UsePAM: "no",
    UseDNS: "no",
    PrintMotd: "no",
    PrintLastLog: "no",
    LogLevel: "VERBOSE",
    // A test may open many connections at once.
    MaxStartups: "1000",
  };
  const given = Object.entries(options.config ?? {});
  const names = new Set(given.map(([name]) => name.toLowerCase()));
  return [...Object.entries(ours).filter(([name]) => !names.has(name.toLowerCase())), ...given]
    .flatMap(([name, value]) => [value].flat().map((one) => `${name} ${one}\n`))
    .join("");
}
