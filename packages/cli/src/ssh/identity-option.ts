/** Checks the file of -i. @module */
import { statSync } from "node:fs";
import { homedir } from "node:os";
import { getSystemErrorMap } from "node:util";

/** Why a file cannot be read, in the words of the system; `undefined` if it exists. */
export function inaccessible(path: string): string | undefined {
  try {
    statSync(path.replace(/^~(?=\/|$)/, homedir()));
    return undefined;
  } catch (error) {
    const { errno = 0, message } = error as NodeJS.ErrnoException;
    const [, text = message] = getSystemErrorMap().get(errno) ?? [];
    return text.charAt(0).toUpperCase() + text.slice(1);
  }
}
