/** Reads whole files of limited size. The path may lead to something else, such as a pipe or a device. @module */
import { constants, type Stats } from "node:fs";
import { open } from "node:fs/promises";
import { type Bytes, concat, SshError, type SshErrorCode } from "@postern/wire";

/** Options of {@link readBounded}. */
export interface ReadBoundedOptions {
  readonly maxBytes: number;
  /** the code of the error for something that is not a file */
  readonly code: SshErrorCode;
  /** Checks the status of the file that is read, so that it cannot be replaced in between. */
  readonly check?: (status: Stats) => void;
}

/**
 * Reads a file or a character device, such as `/dev/null`.
 *
 * @throws SshError with `code` for anything else, such as a folder or a FIFO; `limit` above `maxBytes`; errors of
 *   `node:fs` and of `check` as they are
 */
export async function readBounded(path: string, { maxBytes, code, check }: ReadBoundedOptions): Promise<Bytes> {
  // Opening a FIFO would block until another program writes to it. Windows lacks the flag.
  const file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  try {
    const status = await file.stat();
    if (!status.isFile() && !status.isCharacterDevice())
      throw new SshError(code, `expected ${path} to be a file, got something else`);
    check?.(status);
    const parts: Bytes[] = [];
    // One byte more shows that the file is too large. Its size may be unknown, or grow.
    for (let left = maxBytes + 1; left > 0; ) {
      const { bytesRead, buffer } = await file.read(new Uint8Array(Math.min(left, 65_536)), 0, undefined, null);
      if (bytesRead === 0) return concat(...parts);
      parts.push(buffer.subarray(0, bytesRead));
      left -= bytesRead;
    }
    throw new SshError("limit", `expected ${path} to have at most ${maxBytes} bytes, got more`);
  } finally {
    await file.close();
  }
}
