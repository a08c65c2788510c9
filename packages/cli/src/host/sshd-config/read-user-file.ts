/** Reads a file in the home of a user, who may change it at any time. @module */
import type { Account } from "./accounts.ts";

/** A file of a user. */
export interface UserFile {
  readonly path: string;
  readonly account: Account;
  /** StrictModes */
  readonly isStrict: boolean;
}

/**
 * Reads a file with the rights of this process. With `isStrict`, the file and the folders above it, up to the home,
 * must belong to the user or to root, and others must not be able to write to them (StrictModes).
 *
 * The text of this function also runs in a process of its own, so it uses nothing that is outside of it.
 *
 * @throws Error with the reason in the words of sshd; ENOENT if there is no such file
 */
export async function readUserFile({ path, account, isStrict }: UserFile): Promise<string> {
  const { constants, promises } = process.getBuiltinModule("node:fs");
  const paths = process.getBuiltinModule("node:path");
  const maxBytes = 1024 * 1024;
  const tooLarge = (): Error => new Error(`file ${path} has more than ${maxBytes} bytes`);
  const special = (): Error => new Error(`User ${account.name} file ${path} is not a regular file`);
  const expectSafe = ({ uid, mode }: { readonly uid: number; readonly mode: number }, what: string): void => {
    if ((uid === 0 || uid === account.uid) && (mode & 0o022) === 0) return;
    throw new Error(`Authentication refused: bad ownership or modes for ${what}`);
  };
  const place = await promises.realpath(path);
  // A link may lead to a device, and opening one has effects.
  if (!(await promises.lstat(place)).isFile()) throw special();
  // Opening a FIFO would block, and a file may be replaced after a check of its name.
  const file = await promises.open(place, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  try {
    const status = await file.stat();
    if (!status.isFile()) throw special();
    if (isStrict) {
      expectSafe(status, `file ${path}`);
      const home = await promises.realpath(account.home).catch(() => undefined);
      for (let folder = paths.dirname(place); ; folder = paths.dirname(folder)) {
        expectSafe(await promises.lstat(folder), `directory ${folder}`);
        if (folder === home || folder === paths.dirname(folder)) break;
      }
    }
    if (status.size > maxBytes) throw tooLarge();
    const bytes = Buffer.alloc(maxBytes + 1);
    for (let size = 0; ; ) {
      const { bytesRead } = await file.read(bytes, size, bytes.length - size, null);
      if (bytesRead === 0) return bytes.toString("utf8", 0, size);
      size += bytesRead;
      if (size > maxBytes) throw tooLarge();
    }
  } finally {
    await file.close();
  }
}
