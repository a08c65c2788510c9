/** Writes key files. @module */
import { randomUUID } from "node:crypto";
import { mkdir, open, realpath, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";

/**
 * Writes a file with these permissions. It is replaced at once, so that no reader finds half a key, and after a full
 * disk the old one is still there. A symbolic link stays, and its target is replaced.
 */
export async function saveKeyFile(path: string, text: string, mode: number): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const target = await realpath(path).catch(() => path);
  const part = join(dirname(target), `.postern-${randomUUID()}`);
  try {
    {
      // `wx` follows no link, and the mode applies from the start.
      await using file = await open(part, "wx", mode);
      await file.writeFile(text);
      await file.chmod(mode);
      await file.sync();
    }
    await rename(part, target);
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  }
}
