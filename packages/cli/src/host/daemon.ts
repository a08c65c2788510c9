/** Leaves the terminal: a host without `-D` is a process of its own, and the command ends once it listens. @module */
import { spawn } from "node:child_process";

/** Marks the process in the background. Its parent waits for a message. */
const mark = "POSTERN_HOST_BACKGROUND";

/** Whether this process is the one in the background. The mark is removed, so that its children do not inherit it. */
export function takeBackgroundMark(env: NodeJS.ProcessEnv = process.env): boolean {
  const isMarked = env[mark] === "1" && process.send !== undefined;
  delete env[mark];
  if (isMarked) {
    // The parent closes them once the host listens. A warning of Node.js must not end the host then.
    for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
  }
  return isMarked;
}

/** Reports to the parent that the host listens. */
export function reportReady(): void {
  process.send?.("ready", () => process.disconnect());
}

/**
 * Starts this program again with the same arguments, in a session of its own. Resolves with the exit status for the
 * terminal: 0 once the host listens, and its own if it ends before. Its messages until then are printed.
 */
export function startInBackground(): Promise<number> {
  const child = spawn(process.execPath, [...process.execArgv, ...process.argv.slice(1)], {
    detached: true,
    env: { ...process.env, [mark]: "1" },
    stdio: ["ignore", "ignore", "pipe", "ipc"],
  });
  child.stderr?.on("data", (bytes: Uint8Array) => process.stderr.write(bytes));
  return new Promise((resolve) => {
    child.once("error", ({ message }) => {
      process.stderr.write(`daemon() failed: ${message}\n`);
      resolve(255);
    });
    child.once("message", () => {
      child.stderr?.destroy();
      child.disconnect();
      child.unref();
      resolve(0);
    });
    child.once("exit", (code) => resolve(code ?? 255));
  });
}
