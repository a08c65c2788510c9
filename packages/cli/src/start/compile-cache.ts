/** Compiled code of the program, which makes its next start faster: module.enableCompileCache of Node.js 22.1. @module */
import { lstatSync, mkdirSync } from "node:fs";
import module from "node:module";
import { homedir } from "node:os";
import { join } from "node:path";

/** Keeps compiled code in a folder of the user, if this version of Node.js can. */
export function enableCompileCache(): void {
  const { enableCompileCache: enable } = module as { enableCompileCache?: (folder: string) => unknown };
  const { NODE_COMPILE_CACHE: chosen, NODE_DISABLE_COMPILE_CACHE: disabled } = process.env;
  // With the first variable, Node.js has enabled it by itself.
  if (enable === undefined || chosen !== undefined || disabled !== undefined) return;
  const folder = cacheFolder(process.env);
  if (folder !== undefined) enable(folder);
}

/**
 * Makes the folder, and returns its path. Node.js runs what it finds there without another check, so that a folder that
 * other users can write to is not used: the default of Node.js is in the temporary folder, where another user could make
 * it first. Also not that of the user who called sudo.
 */
export function cacheFolder(env: NodeJS.ProcessEnv): string | undefined {
  const isWindows = process.platform === "win32";
  try {
    const base = isWindows ? env.LOCALAPPDATA : env.XDG_CACHE_HOME || join(homedir(), ".cache");
    if (base === undefined) return undefined;
    const folder = join(base, "postern", "compiled");
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const status = lstatSync(folder);
    const isOurs = isWindows || (status.uid === process.geteuid?.() && (status.mode & 0o077) === 0);
    return status.isDirectory() && isOurs ? folder : undefined;
  } catch {
    // Without the folder, the start is only slower.
    return undefined;
  }
}
