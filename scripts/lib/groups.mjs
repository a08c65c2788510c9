/** Processes that end with this one, with all that they start in their process group. @module */
import { spawn } from "node:child_process";

const groups = new Set();

/** Starts a program in a process group of its own, so that all of it can be ended. */
export function startGroup(command, args, options) {
  const child = spawn(command, args, { ...options, detached: true });
  if (child.pid === undefined) return child;
  endWithThis();
  groups.add(child.pid);
  child.once("exit", () => groups.delete(child.pid));
  return child;
}

/** Sends a signal to the process group of a child. */
export function endGroup({ pid }, signal = "SIGKILL") {
  if (pid !== undefined) send(pid, signal);
}

let isSet = false;

function endWithThis() {
  if (isSet) return;
  isSet = true;
  // SIGTERM, because a process may have groups of its own.
  process.once("exit", () => {
    for (const group of groups) send(group, "SIGTERM");
  });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(signal, () => process.exit(130));
}

function send(group, signal) {
  try {
    process.kill(-group, signal);
  } catch {
    // It has ended by itself.
  }
}
