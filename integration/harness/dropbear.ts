/** dropbear on a loopback port, with its own keys and user. @module */
import { type Account, makeAccount } from "./account.ts";
import { type KeyType, makeKey, type PublicKeyInfo } from "./keys.ts";
import { freePort, listening } from "./ports.ts";
import { launch, type Running, run } from "./process.ts";
import { missing, program } from "./requirements.ts";
import type { SshServer } from "./sshd.ts";
import { type TempDir, tempDir } from "./temp-dir.ts";

export interface DropbearOptions {
  readonly authorizedKeys?: readonly string[];
  /** Default: `["ed25519"]`. */
  readonly hostKeyTypes?: readonly KeyType[];
  /** Allows login by password; `true` generates one. */
  readonly password?: string | true;
  /** More arguments, such as `-a` (forwarded ports may listen on any address). */
  readonly args?: readonly string[];
  /** The root folder with another dropbear, see `newerRoot`. */
  readonly root?: string;
}

export interface Dropbear extends SshServer {
  readonly password: string | undefined;
  readonly dir: string;
  readonly log: () => string;
  readonly logged: (pattern: RegExp, timeoutMs?: number) => Promise<RegExpMatchArray>;
  dropConnections(): void;
  stop(): Promise<void>;
}

/** Starts dropbear and waits until it listens. Needs `missing("dropbear") === undefined`. */
export async function startDropbear(options: DropbearOptions = {}): Promise<Dropbear> {
  const reason = missing("dropbear");
  const path = options.root === undefined ? program("dropbear") : "/usr/sbin/dropbear";
  if (reason !== undefined || path === undefined) throw new Error(reason);
  const dir = tempDir("postern-dropbear");
  try {
    const hostKeys: Partial<Record<KeyType, PublicKeyInfo>> = {};
    const keyArgs: string[] = [];
    for (const type of options.hostKeyTypes ?? ["ed25519"]) {
      const key = await makeKey(type, dir.file(`openssh_${type}`));
      await run("dropbearconvert", ["openssh", "dropbear", key.file, dir.file(`host_${type}`)]);
      hostKeys[type] = key;
      keyArgs.push("-r", dir.file(`host_${type}`));
    }
    const account = await makeAccount(dir, {
      password: options.password === true ? undefined : options.password,
      authorizedKeys: options.authorizedKeys ?? [],
      root: options.root,
    });
    const args = [...keyArgs, ...(options.password === undefined ? ["-s"] : []), ...(options.args ?? [])];
    const { port, process } = await listen(path, dir, account, args);
    return {
      port,
      user: account.user,
      password: options.password === undefined ? undefined : account.password,
      hostKeys,
      dir: dir.path,
      log: process.stderr.text,
      logged: process.stderr.waitFor,
      // dropbear itself is the child of `unshare`.
      dropConnections: () => process.stopDescendants(2),
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
  args: readonly string[],
): Promise<{ port: number; process: Running }> {
  for (let attempt = 1; ; attempt++) {
    const port = await freePort();
    const process = await launch(
      path,
      ["-F", "-E", "-P", dir.file("dropbear.pid"), "-p", `127.0.0.1:${port}`, ...args],
      { prefix: account.prefix },
    );
    // dropbear does not print that it listens.
    const stopped = new AbortController();
    const up = await Promise.race([
      listening(port, AbortSignal.any([stopped.signal, AbortSignal.timeout(10_000)])).then(
        () => true,
        () => false,
      ),
      process.exited.then(() => false),
    ]);
    stopped.abort();
    if (up) return { port, process };
    await process.stop();
    if (attempt === 5 || !/in use/.test(process.stderr.text())) {
      throw new Error(`dropbear did not start:\n${process.stderr.text()}`);
    }
  }
}
