/**
 * Stands in for vitest in a process of its own: runs the tests in order, ends at the first that fails, and prints the
 * CPU time in seconds.
 * @module
 */
export { expect } from "vitest";

const tests = [];

export function describe(_name, collect) {
  collect();
}

export function it(name, run) {
  if (tests.push({ name, run }) === 1) queueMicrotask(() => void runAll());
}

async function runAll() {
  for (const { name, run } of tests) {
    try {
      await run();
    } catch (error) {
      console.error(name, error);
      process.exit(1);
    }
  }
  const { user, system } = process.cpuUsage();
  console.log((user + system) / 1e6);
}
