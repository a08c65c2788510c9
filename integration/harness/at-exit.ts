/** What has to be done when the test process ends, also when vitest ends it, which it does with SIGTERM. @module */

const duties = new Set<() => void>();

/** Has `duty` done, synchronously, when this process ends. */
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
