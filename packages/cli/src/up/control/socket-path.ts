/** Where the control socket of a configuration is. @module */
import { createHash } from "node:crypto";
import { realpathSync } from "node:fs";
import { lstat, mkdir } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { quote } from "@postern/wire";

/** The longest path of a UNIX socket, in bytes: `sun_path` of Linux without its NUL; others are shorter. */
const maxPath = process.platform === "linux" ? 107 : 103;

/**
 * Returns the paths to try, in order: that of the option, otherwise one in XDG_RUNTIME_DIR and one beside the file. A
 * service of the system has no XDG_RUNTIME_DIR, but the shell of its administrator has.
 */
export function socketPaths(config: string, chosen: string | undefined, env: NodeJS.ProcessEnv): readonly string[] {
  if (chosen !== undefined) return [chosen];
  const file = realPath(config);
  const name = createHash("sha256").update(file).digest("hex").slice(0, 16);
  if (process.platform === "win32") return [`\\\\.\\pipe\\postern-${name}`];
  const { XDG_RUNTIME_DIR: runtime } = env;
  const beside = join(dirname(file), ".postern", `${basename(file)}.sock`);
  const paths = [...(runtime?.startsWith("/") ? [join(runtime, "postern", `${name}.sock`)] : []), beside];
  const short = paths.filter((path) => Buffer.byteLength(path) <= maxPath);
  return short.length > 0 ? short : paths;
}

/**
 * Creates the folder of a socket, with mode 0700, and checks that others cannot put another socket there.
 *
 * @throws Error that names the folder
 */
export async function prepareFolder(path: string): Promise<void> {
  if (process.platform === "win32") return;
  if (Buffer.byteLength(path) > maxPath) {
    const hint = "set `control` to a shorter path";
    throw new Error(
      `expected the control socket to have a path of at most ${maxPath} bytes, got ${quote(path)}: ${hint}`,
    );
  }
  const folder = dirname(path);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const { uid, mode } = await lstat(folder);
  const isOurs = uid === process.geteuid?.() || uid === 0;
  if (!isOurs || (mode & 0o022) !== 0)
    throw new Error(
      `expected the folder ${quote(folder)} of the control socket to be one that only its owner can change`,
    );
}

function realPath(file: string): string {
  try {
    return realpathSync(file);
  } catch {
    return resolve(file);
  }
}
