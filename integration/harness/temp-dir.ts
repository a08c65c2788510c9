/** Temporary folders that are removed when the test process ends. @module */
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { atExit } from "./at-exit.ts";

export interface TempDir {
  readonly path: string;
  /** A path inside the folder. */
  file(...parts: readonly string[]): string;
  remove(): void;
}

const alive = new Set<string>();

atExit(() => {
  for (const path of alive) rmSync(path, { recursive: true, force: true });
});

/** Makes a folder that other users may enter, because a server's user must read its key file. Secrets need a mode. */
export function tempDir(name = "postern"): TempDir {
  const path = mkdtempSync(join(tmpdir(), `${name}-`));
  chmodSync(path, 0o755);
  alive.add(path);
  return {
    path,
    file: (...parts) => join(path, ...parts),
    remove() {
      alive.delete(path);
      rmSync(path, { recursive: true, force: true });
    },
  };
}
