/** Cleanups for the end of the test process, also if vitest ends it with SIGTERM. @module */

const duties = new Set<() => void>();

/** Calls `duty` synchronously when this process ends. */
export function atExit(duty: () => void): void {
  duties.add(duty);
}

process.on("exit", doAll);
process.once("SIGTERM", () => {
  doAll();
  process.kill(process.pid, "SIGTERM");
});

function doAll(): void {
  for (const duty of duties) duty();
  duties.clear();
}
