/** Runs stty: Node.js has no ioctl, and its raw mode still turns LF into CR LF. @module */
import { spawnSync } from "node:child_process";

/** Runs `stty` on a terminal. Returns what it printed, `undefined` if it failed or is not there. */
export function stty(fd: number, ...args: readonly string[]): string | undefined {
  // Without the locale, because messages such as "speed 38400 baud" are translated.
  const env = { ...process.env, LC_ALL: "C" };
  const { status, stdout } = spawnSync("stty", args, { stdio: [fd, "pipe", "ignore"], env, timeout: 5000 });
  return status === 0 ? stdout.toString("latin1") : undefined;
}
