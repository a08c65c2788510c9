/** The questions of `postern keygen` on the terminal. @module */
import { access } from "node:fs/promises";
import { SshError } from "@postern/wire";
import { askTerminal, hasTerminal } from "../terminal/ask-terminal.ts";

/** Asks the user. Without a terminal each question is an error that names the option in its place. */
export interface KeygenQuestions {
  line(text: string): Promise<string>;
  secret(text: string): Promise<string>;
  /** Asks twice, until both are the same. */
  newPassphrase(text: string): Promise<string>;
  /** Returns whether a file may be written: it does not exist, or the user agrees. */
  mayReplace(path: string): Promise<boolean>;
}

export const keygenQuestions: KeygenQuestions = {
  line: (text) => ask(text, true, "expected -f, or a terminal to ask for a file"),
  secret: (text) => ask(text, false, "expected -P, or a terminal to ask for the passphrase"),
  async newPassphrase(text) {
    const why = "expected -N, or a terminal to ask for a passphrase";
    for (;;) {
      const first = await ask(text, false, why);
      if ((await ask("Enter same passphrase again: ", false, why)) === first) return first;
      process.stderr.write("Passphrases do not match.  Try again.\n");
    }
  },
  async mayReplace(path) {
    if (!(await exists(path))) return true;
    process.stderr.write(`${path} already exists.\n`);
    if (!hasTerminal()) return false;
    return /^y/i.test(await askTerminal({ text: "Overwrite (y/n)? ", echo: true }));
  },
};

async function ask(text: string, echo: boolean, why: string): Promise<string> {
  if (!hasTerminal()) throw new SshError("credentials", why);
  return await askTerminal({ text, echo });
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw error;
  }
}
