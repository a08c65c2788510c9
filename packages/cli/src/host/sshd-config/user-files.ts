/** The files of users, which are read with the rights of their users. @module */
import { type ChildProcess, spawn } from "node:child_process";
import { isAbsolute, join } from "node:path";
import { abortable } from "@postern/ssh";
import { SshError } from "@postern/wire";
import type { Account } from "./accounts.ts";
import { readUserFile, type UserFile } from "./read-user-file.ts";

/** Expands `%h`, `%u`, `%U` and `%%`, and makes a relative name one in the home (sshd_config(5), TOKENS). */
export function userPath(name: string, { name: user, uid, home }: Account): string {
  const tokens: Readonly<Record<string, string>> = { h: home, u: user, U: String(uid), "%": "%" };
  const path = name.replace(/%(.)/g, (whole, letter: string) => tokens[letter] ?? whole);
  return isAbsolute(path) ? path : join(home, path);
}

/** Whether a pattern has a token that `userPath` does not know. */
export function unknownToken(name: string): string | undefined {
  return [...name.matchAll(/%(.?)/g)].map(([whole]) => whole).find((one) => !/^%[huU%]$/.test(one));
}

/** Reads files of users. `signal` ends the wait for a process. @throws Error as {@link readUserFile} does */
export type ReadUserFile = (file: UserFile, signal?: AbortSignal) => Promise<string>;

/** The answer of a process that reads with the rights of a user. */
type Answer = { readonly text: string } | { readonly message: string; readonly code?: string };

/** A process with the rights of one user. It answers one request at a time. */
interface Reader {
  readonly process: ChildProcess;
  isBusy: boolean;
  idle: NodeJS.Timeout | undefined;
}

/** A process is kept for the other requests of a login. */
const idleMs = 3_000;
/** A file may be on a network, and its server may not answer. */
const timeoutMs = 10_000;
/** A user can stop his process, so that no login of him is answered in time. */
const maxWaitingPerUser = 16;

/**
 * Returns a function that reads files as sshd does: with the user ID and the groups of their user. Otherwise a user
 * could make a link to a file that only root may read, and learn whether a key is in it. Changing the user of the host
 * process would affect its other work, so a separate process takes the user's rights. Only files of root, and all files
 * if the host does not run as root, are read by the host itself. `maxReaders` processes run at the same time.
 */
export function createUserFiles(maxReaders = 16): ReadUserFile {
  const readers = new Map<string, Reader>();
  const running = new Set<ChildProcess>();
  const queue = createQueue(maxWaitingPerUser, maxWaitingPerUser * maxReaders);

  const end = (key: string, reader: Reader): void => {
    clearTimeout(reader.idle);
    if (readers.get(key) === reader) readers.delete(key);
    reader.process.kill("SIGKILL");
  };
  const start = (key: string, account: Account): Reader => {
    const reader: Reader = { process: startReader(account), isBusy: true, idle: undefined };
    const ended = (): void => {
      running.delete(reader.process);
      end(key, reader);
      queue.wake();
    };
    reader.process.once("close", ended).once("error", () => {
      // It has not started.
      if (reader.process.pid === undefined) ended();
    });
    readers.set(key, reader);
    running.add(reader.process);
    return reader;
  };

  /** Returns a process that is not busy, and belongs to the caller. */
  const take = async (key: string, account: Account, signal: AbortSignal | undefined): Promise<Reader> => {
    for (;;) {
      const found = readers.get(key);
      if (found?.isBusy === false) {
        clearTimeout(found.idle);
        found.isBusy = true;
        return found;
      }
      if (found === undefined && running.size < maxReaders) return start(key, account);
      const idle = found === undefined ? [...readers].find(([, { isBusy }]) => !isBusy) : undefined;
      if (idle !== undefined) end(...idle);
      await queue.wait(account.name, signal);
    }
  };

  return async (file, signal) => {
    const { account } = file;
    if (process.getuid?.() !== 0 || account.uid === 0) return await readUserFile(file);
    const key = [account.name, account.uid, account.gid].join(":");
    const reader = await take(key, account, signal);
    const answer = await ask(reader.process, file);
    if (answer === undefined) {
      end(key, reader);
      queue.wake();
      throw new Error(`cannot read ${file.path} with the rights of ${account.name}`);
    }
    reader.isBusy = false;
    reader.idle = setTimeout(() => end(key, reader), idleMs).unref();
    queue.wake();
    if ("text" in answer) return answer.text;
    const { message, code } = answer;
    throw Object.assign(new Error(message), code !== undefined && { code });
  };
}

/** Logins that wait for a process. */
interface Queue {
  /** Resolves at the next `wake`. @throws Error if too many wait, or the signal fires */
  wait(user: string, signal: AbortSignal | undefined): Promise<void>;
  /** Ends the wait of all, who look for a process in their order. */
  wake(): void;
}

function createQueue(maxPerUser: number, max: number): Queue {
  const waiting = new Set<{ readonly user: string; readonly resolve: () => void }>();
  return {
    wait: async (user, signal) => {
      if (signal?.aborted === true) throw aborted(signal);
      const ofUser = [...waiting].filter((one) => one.user === user).length;
      if (ofUser >= maxPerUser || waiting.size >= max) throw new Error(`User ${user}: too many logins wait for files`);
      await new Promise<void>((resolve, reject) => {
        const caller = abortable(signal, { resolve, reject }, () => {
          waiting.delete(entry);
          reject(aborted(signal));
        });
        const entry = { user, resolve: () => caller.resolve() };
        waiting.add(entry);
      });
    },
    wake: () => {
      const woken = [...waiting];
      waiting.clear();
      for (const { resolve } of woken) resolve();
    },
  };
}

function aborted(signal: AbortSignal | undefined): SshError {
  return new SshError("aborted", "the client dropped its attempt to log in", { cause: signal?.reason });
}

/** Resolves with `undefined` if the process ends, or takes too long. */
function ask(reader: ChildProcess, file: UserFile): Promise<Answer | undefined> {
  return new Promise((resolve) => {
    const done = (answer?: Answer): void => {
      clearTimeout(timer);
      reader.off("message", done).off("close", fail).off("error", fail);
      reader.channel?.unref();
      resolve(answer);
    };
    const fail = (): void => done();
    const timer = setTimeout(fail, timeoutMs);
    reader.on("message", done).on("close", fail).on("error", fail);
    reader.channel?.ref();
    if (!reader.connected || reader.exitCode !== null) return fail();
    reader.send(file, (error) => error !== null && fail());
  });
}

function startReader({ name, uid, gid }: Account): ChildProcess {
  // It drops its rights by itself, not by options of `spawn`: these leave out the user's other groups, and a process
  // that has started with the rights of the user can be changed by the user's other programs.
  const code = `(${serveFiles.toString()})(${readUserFile.toString()}, ${JSON.stringify({ name, uid, gid })})`;
  const child = spawn(process.execPath, ["--eval", code], {
    cwd: "/",
    env: {},
    stdio: ["ignore", "ignore", "ignore", "ipc"],
  });
  child.on("error", () => {});
  child.unref();
  return child;
}

/** The program of the process. As {@link readUserFile}, it uses nothing that is outside of it. */
function serveFiles(read: ReadUserFile, { name, uid, gid }: Pick<Account, "name" | "uid" | "gid">): void {
  // The types of Node.js lack it.
  (process as { initgroups?: (user: string, extraGroup: number) => void }).initgroups?.(name, gid);
  process.setgid?.(gid);
  process.setuid?.(uid);
  if (process.getuid?.() !== uid || process.geteuid?.() !== uid || process.getgid?.() !== gid) process.exit(1);
  process.on("message", (file) => {
    read(file as UserFile).then(
      (text) => process.send?.({ text }),
      ({ message, code }: NodeJS.ErrnoException) => process.send?.({ message, code }),
    );
  });
  process.on("disconnect", () => process.exit(0));
}
