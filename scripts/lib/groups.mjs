/** Processes that end with this one, with all that they start in their process group. @module */
import { spawn } from "node:child_process";

/** The signal that ends each group. */
const groups = new Map();

/**
 * Starts a program in a process group of its own, so that all of it can be ended. `signal` ends it when this process
 * ends: SIGTERM, if the program has groups of its own to end.
 */
export function startGroup(command, args, { signal = "SIGKILL", ...options }) {
  const child = spawn(command, args, { ...options, detached: true });
  if (child.pid === undefined) return child;
  endWithThis();
  groups.set(child.pid, signal);
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
  process.once("exit", () => {
    for (const [group, signal] of groups) send(group, signal);
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
