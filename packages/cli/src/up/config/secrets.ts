/** Reads secrets from the environment and from files. @module */
import { open } from "node:fs/promises";
import { quote, SshError } from "@postern/wire";
import type { Secret } from "./types.ts";

const maxBytes = 65_536;

/**
 * Returns a secret. The last line end of a file is removed. As ssh does for private keys, refuses a file of this user
 * that others can access.
 *
 * @throws SshError `key` without the secret
 */
export async function readSecret(secret: Secret, env: NodeJS.ProcessEnv): Promise<string> {
  if ("env" in secret) {
    const value = env[secret.env];
    if (value) return value;
    throw new SshError("key", `expected the variable ${secret.env} of the environment to be set, got nothing`);
  }
  const name = `the file ${quote(secret.file, 400)} of a secret`;
  try {
    const handle = await open(secret.file, "r");
    try {
      const status = await handle.stat();
      if (!status.isFile()) throw new SshError("key", `expected ${name} to be a regular file, got something else`);
      if (process.platform !== "win32" && status.uid === process.getuid?.() && (status.mode & 0o077) !== 0) {
        const mode = (status.mode & 0o777).toString(8).padStart(4, "0");
        throw new SshError("key", `expected ${name} to be for its owner only, got permissions ${mode}: run chmod 600`);
      }
      const { bytesRead, buffer } = await handle.read(Buffer.alloc(Math.min(status.size, maxBytes) + 1));
      if (bytesRead > maxBytes) throw new SshError("key", `expected ${name} to have at most ${maxBytes} bytes`);
      const text = buffer.toString("utf8", 0, bytesRead).replace(/\r?\n$/, "");
      if (text === "") throw new SshError("key", `expected ${name} to have a text, got none`);
      return text;
    } finally {
      await handle.close();
    }
  } catch (cause) {
    if (cause instanceof SshError) throw cause;
    throw new SshError("key", `expected to read ${name}, got ${(cause as NodeJS.ErrnoException).code}`, { cause });
  }
}
