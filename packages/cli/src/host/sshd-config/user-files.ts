/** Files in the homes of users, which the users may change: read only as far as they are safe. @module */
import { constants } from "node:fs";
import { lstat, open, realpath } from "node:fs/promises";
import { dirname, isAbsolute, join } from "node:path";
import type { Account } from "./accounts.ts";

/** Larger files of keys are refused. */
const maxBytes = 1024 * 1024;

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

/**
 * Reads a file of a user. With `strict`, the file and the folders above it, up to the home, must belong to the user or
 * to root, and others must not be able to write to them (StrictModes).
 *
 * @throws Error with the reason in the words of sshd; ENOENT if there is no such file
 */
export async function readUserFile(path: string, account: Account, strict: boolean): Promise<string> {
  const place = await realpath(path);
  // A link may lead to a device, and opening one, such as a watchdog, has effects. sshd opens it as the user.
  if (!(await lstat(place)).isFile()) throw new Error(`User ${account.name} file ${path} is not a regular file`);
  // Opening a FIFO would block, and a file may be replaced after a check of its name.
  const file = await open(place, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  try {
    const status = await file.stat();
    if (!status.isFile()) throw new Error(`User ${account.name} file ${path} is not a regular file`);
    if (strict) {
      expectSafe(status, account, `file ${path}`);
      await expectSafeFolders(place, account);
    }
    if (status.size > maxBytes) throw new Error(`file ${path} has more than ${maxBytes} bytes`);
    const text = Buffer.alloc(maxBytes + 1);
    let size = 0;
    for (;;) {
      const { bytesRead } = await file.read(text, size, text.length - size, null);
      if (bytesRead === 0) return text.toString("utf8", 0, size);
      size += bytesRead;
      if (size > maxBytes) throw new Error(`file ${path} has more than ${maxBytes} bytes`);
    }
  } finally {
    await file.close();
  }
}

async function expectSafeFolders(place: string, account: Account): Promise<void> {
  const home = await realpath(account.home).catch(() => undefined);
  for (let folder = dirname(place); ; folder = dirname(folder)) {
    expectSafe(await lstat(folder), account, `directory ${folder}`);
    if (folder === home || folder === dirname(folder)) return;
  }
}

function expectSafe({ uid, mode }: { readonly uid: number; readonly mode: number }, account: Account, what: string) {
  if ((uid === 0 || uid === account.uid) && (mode & 0o022) === 0) return;
  throw new Error(`Authentication refused: bad ownership or modes for ${what}`);
}
