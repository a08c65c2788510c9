/** Undoes a change of the terminal when the process ends. @module */

/** Signals that end a process. SIGKILL cannot be caught. */
const fatalSignals = ["SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM"] as const;

/**
 * Calls `restore` when the process exits, also by an uncaught error, and before a signal ends it. A signal without other
 * listeners ends the process after that. Returns a function that stops this.
 */
export function restoreAtExit(restore: () => void): () => void {
  const onSignal = (signal: NodeJS.Signals): void => {
    stop();
    restore();
    if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
  };
  const stop = (): void => {
    process.off("exit", restore);
    process.off("uncaughtExceptionMonitor", restore);
    for (const signal of fatalSignals) process.off(signal, onSignal);
  };
  process.on("exit", restore);
  // Before Node.js prints the error.
  process.on("uncaughtExceptionMonitor", restore);
  for (const signal of fatalSignals) process.on(signal, onSignal);
  return stop;
}

/**
 * Sends a signal to the process group, as the terminal does for a key. A program that started us, such as npx, or a
 * shell that runs a script, gets it, too.
 */
export function raise(signal: "SIGINT" | "SIGQUIT" | "SIGTSTP"): void {
  // Windows has no process groups, and no stopped processes.
  if (process.platform !== "win32") process.kill(0, signal);
  else if (signal !== "SIGTSTP") process.kill(process.pid, signal);
}

/** Stops the process group, as ^Z does. Calls `resumed` when the process runs again. */
export function suspend(resumed: () => void): void {
  const resume = (): void => {
    clearTimeout(timer);
    process.off("SIGCONT", resume);
    resumed();
  };
  process.on("SIGCONT", resume);
  // A process group without a parent in its session is not stopped (POSIX, "orphaned process group").
  const timer = setTimeout(resume, 200);
  raise("SIGTSTP");
}
