/** LocalCommand: a command of this machine that runs once the connection is there. @module */
import { spawnSync } from "node:child_process";

/** Runs the command by the user's shell, and waits for it. Returns its status, as ssh does. */
export function runLocalCommand(command: string): number {
  const { SHELL: shell = "/bin/sh" } = process.env;
  const { status } = spawnSync(shell === "" ? "/bin/sh" : shell, ["-c", command], { stdio: "inherit" });
  return status ?? 1;
}
