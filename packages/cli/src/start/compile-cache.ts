/** Keeps compiled code, so that the next start is faster: module.enableCompileCache of Node.js 22.1. @module */
import { lstatSync, mkdirSync, realpathSync } from "node:fs";
import module from "node:module";
import { homedir } from "node:os";
import { dirname, join } from "node:path";

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
 * Makes the folder, and returns its path. Node.js runs the code that it finds there without another check. So a folder
 * of another user, or one that others can write to, is not used: the default of Node.js is in the temporary folder,
 * where another user could make it first, and under sudo the home may be that of the caller, who can replace the folder
 * after the check by any other.
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
    return status.isDirectory() && isOurs && (isWindows || isKept(folder)) ? folder : undefined;
  } catch {
    // Without the folder, the start is only slower.
    return undefined;
  }
}

/** Whether no other user, apart from root, can rename a folder or one of those above it. */
function isKept(folder: string): boolean {
  for (let path = realpathSync(folder); path !== dirname(path); path = dirname(path)) {
    const { uid, mode } = lstatSync(dirname(path));
    // In a sticky folder, such as /tmp, only the owner of a file renames it.
    const isShared = (mode & 0o022) !== 0 && (mode & 0o1000) === 0;
    if (isShared || (uid !== 0 && uid !== process.geteuid?.())) return false;
  }
  return true;
}
