/** Notices changes of a file, also if an editor or Kubernetes replaces it. @module */
import { type FSWatcher, watch } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname } from "node:path";

/** Time without further changes, after which a file counts as complete. */
const settleMs = 200;

/**
 * Calls `changed` when the content of a file is another one than before. Watches the folder, because a watch of a file
 * ends with the file, and a link in the folder may lead to it. Does nothing if the system cannot watch.
 *
 * @returns a function that ends the watch
 */
export function watchFile(file: string, changed: () => void): () => void {
  let known: string | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let watcher: FSWatcher | undefined;
  const readContent = (): Promise<string | undefined> => readFile(file, "latin1").catch(() => undefined);
  const compare = async (): Promise<void> => {
    const content = await readContent();
    // A file that is being replaced is missing for a moment.
    if (content === undefined || content === known) return;
    const isFirst = known === undefined;
    known = content;
    if (!isFirst) changed();
  };
  void compare();
  try {
    watcher = watch(dirname(file), { persistent: false }, () => {
      clearTimeout(timer);
      timer = setTimeout(() => void compare(), settleMs);
    });
    watcher.on("error", () => watcher?.close());
  } catch {
    // SIGHUP still works.
  }
  return () => {
    clearTimeout(timer);
    watcher?.close();
  };
}
