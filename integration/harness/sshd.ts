/** OpenSSH's `sshd` on a loopback port, with its own keys, configuration and user. @module */
import { rmSync, writeFileSync } from "node:fs";
import { type Account, makeAccount } from "./account.ts";
import { type KeyType, makeKey, type PublicKeyInfo } from "./keys.ts";
import { freePort } from "./ports.ts";
import { launch, type Running } from "./process.ts";
import { program, sshdKnows } from "./requirements.ts";
import { type TempDir, tempDir } from "./temp-dir.ts";

export interface SshdOptions {
  /** Lines of sshd_config. They replace ours of the same name (case-insensitive). A list repeats the line. */
  readonly config?: Readonly<Record<string, string | readonly string[]>>;
  readonly authorizedKeys?: readonly string[];
  /** In the order of the configuration. Default: `["ed25519"]`. */
  readonly hostKeyTypes?: readonly KeyType[];
  /** Allows login by password; `true` generates one. Needs `missing("password") === undefined`. */
  readonly password?: string | true;
  /** Connections outlive the listening process. Needs `missing("password") === undefined`. */
  readonly sessionsOutlive?: boolean;
  /** The root folder with another sshd, see `newerRoot`. */
  readonly root?: string;
}

/** The listening process, those of the connections, or all of them. */
export type SshdPart = "listener" | "sessions" | "all";

/** The facts of a server that a client needs. */
export interface SshServer {
  readonly port: number;
  readonly user: string;
  readonly hostKeys: Readonly<Partial<Record<KeyType, PublicKeyInfo>>>;
}

export interface Sshd extends SshServer {
  /** The password of `user`, if login by password is allowed. */
  readonly password: string | undefined;
  /** The folder with all files of this server, removed by `stop`. */
  readonly dir: string;
  /** Returns the fingerprint of the host key of that type, or of the first. */
  fingerprint(type?: KeyType): string;
  /** Returns the log so far. */
  readonly log: () => string;
  /** Waits for a line of the log. */
  readonly logged: (pattern: RegExp, timeoutMs?: number) => Promise<RegExpMatchArray>;
  /** Breaks every connection, but not the listening process. */
  dropConnections(): void;
  /** Sends a signal to a part of the server. Without `sessionsOutlive` the connections end with the listener. */
  signal(signal: NodeJS.Signals, part: SshdPart): void;
  /** Ends the server and its connections at once, until `restart`. */
  kill(): Promise<void>;
  /** Starts the server again on the same port, optionally with new host keys. */
  restart(options?: { readonly newHostKeys?: boolean }): Promise<void>;
  stop(): Promise<void>;
}

const titles: Readonly<Record<SshdPart, RegExp>> = {
  listener: /^sshd: .*\[listener\]/,
  sessions: /^sshd(?:-session|-auth)?: (?!.*\[listener\])/,
  all: /^sshd(?:-session|-auth)?: /,
};

/** Starts sshd and waits until it listens. */
export async function startSshd(options: SshdOptions = {}): Promise<Sshd> {
  if (program("sshd") === undefined) throw new Error("sshd is not installed: apt-get install openssh-server");
  const dir = tempDir("postern-sshd");
  try {
    const types = options.hostKeyTypes ?? ["ed25519"];
    const hostKeys: Partial<Record<KeyType, PublicKeyInfo>> = {};
    const makeKeys = async (): Promise<void> => {
      for (const type of types) {
        rmSync(dir.file(`host_${type}`), { force: true });
        hostKeys[type] = await makeKey(type, dir.file(`host_${type}`));
      }
    };
    await makeKeys();
    const account = await makeAccount(dir, {
      password: options.password === true ? undefined : options.password,
      authorizedKeys: options.authorizedKeys ?? [],
      root: options.root,
    });
    if (options.password !== undefined && account.password === undefined) {
      throw new Error("expected a private account for a login by password, got none");
    }
    let { port, process } = await listen(dir, account, options, types);
    const past: Running[] = [];
    const kill = async (): Promise<void> => {
      for (const one of [process, ...past.splice(0)]) await one.stop();
    };
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
      log: () => process.stderr.text(),
      logged: (pattern, timeoutMs) => process.stderr.waitFor(pattern, timeoutMs),
      dropConnections: () => void process.signalDescendants("SIGKILL", titles.sessions),
      signal(signal, part) {
        const reached = [process, ...past].map((one) => one.signalDescendants(signal, titles[part]));
        if (reached.every((count) => count === 0))
          throw new Error(`expected processes to send ${signal} to, found none`);
      },
      kill,
      async restart({ newHostKeys = false } = {}) {
        if (newHostKeys) await makeKeys();
        past.push(process);
        ({ process } = await listen(dir, account, options, types, port));
      },
      async stop() {
        await kill();
        dir.remove();
      },
    };
  } catch (error) {
    dir.remove();
    throw error;
  }
}

/** The end of the first process ends the namespace, so that process must not be the listener. */
const outlived = ["sh", "-c", '"$@"; exec sleep infinity', "sh"];

async function listen(
  dir: TempDir,
  account: Account,
  options: SshdOptions,
  types: readonly KeyType[],
  fixedPort?: number,
): Promise<{ port: number; process: Running }> {
  const path = options.root === undefined ? (program("sshd") ?? "sshd") : "/usr/sbin/sshd";
  const prefix = options.sessionsOutlive === true ? [...account.prefix, ...outlived] : account.prefix;
  // Another test may take the port between the check and the bind, so this retries with another port.
  for (let attempt = 1; ; attempt++) {
    const port = fixedPort ?? (await freePort());
    const file = dir.file("sshd_config");
    writeFileSync(file, configuration(port, dir, account, options, types));
    const process = await launch(path, ["-D", "-e", "-f", file], { prefix });
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
    // The folder is below /tmp, which is writable by all.
    StrictModes: "no",
    UsePAM: "no",
    UseDNS: "no",
    PrintMotd: "no",
    PrintLastLog: "no",
    LogLevel: "VERBOSE",
    // A test may open many connections at once.
    MaxStartups: "1000",
    // OpenSSH 9.8 and later penalize clients that disconnect early.
    ...(options.root !== undefined || sshdKnows("PerSourcePenalties") ? { PerSourcePenalties: "no" } : {}),
  };
  const given = Object.entries(options.config ?? {});
  const names = new Set(given.map(([name]) => name.toLowerCase()));
  return [...Object.entries(ours).filter(([name]) => !names.has(name.toLowerCase())), ...given]
    .flatMap(([name, value]) => [value].flat().map((one) => `${name} ${one}\n`))
    .join("");
}
