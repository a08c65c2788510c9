/** Reads text files of limited size. @module */
import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { SshError } from "@postern/wire";

/** Far above any key or list of keys. */
const defaultMaxBytes = 16_777_216;

/**
 * Reads a file of UTF-8.
 *
 * @throws SshError `limit` if it is larger, `key` if it is no file; errors of `node:fs` as they are
 */
export async function readTextFile(path: string, maxBytes: number = defaultMaxBytes): Promise<string> {
  // Opening a FIFO would block until another program writes to it. Windows lacks the flag.
  await using file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  const status = await file.stat();
  if (!status.isFile()) throw new SshError("key", `expected ${path} to be a file, got something else`);
  if (status.size > maxBytes)
    throw new SshError("limit", `expected ${path} to have at most ${maxBytes} bytes, got more`);
  return (await file.readFile()).toString("utf8");
}
