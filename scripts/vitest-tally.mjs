/**
 * Vitest reporter: prints `N passed, N failed`, and `, N skipped` if there are any. If POSTERN_TALLY is set, it writes
 * the numbers to that file instead, for `scripts/test.mjs`.
 * @module
 */
import { writeFileSync } from "node:fs";
import { tallyLine } from "./lib/tally.mjs";

export default class Tally {
  onTestRunEnd(modules, errors, reason) {
    const tally = { passed: 0, failed: errors.length, skipped: 0 };
    for (const module of modules) {
      tally.failed += module.errors().length;
      for (const test of module.children.allTests()) {
        const { state } = test.result();
        tally[state === "passed" || state === "failed" ? state : "skipped"]++;
      }
      for (const suite of module.children.allSuites()) tally.failed += suite.errors().length;
    }
    if (reason !== "passed" && tally.failed === 0) tally.failed = 1;
    const file = process.env.POSTERN_TALLY;
    if (file) writeFileSync(file, JSON.stringify(tally));
    else console.log(tallyLine(tally));
  }
}
