/** Half a minute of the soak; `npm run soak -- --minutes 60 --seed mine` runs longer. */
import { describe, expect, it } from "vitest";
import { leavesNothing, missing } from "./harness/index.ts";
import { describeReport, soak } from "./soak/soak.ts";

const { POSTERN_SOAK_MINUTES = "0.5", POSTERN_SOAK_SEED = "postern" } = process.env;
const minutes = Number(POSTERN_SOAK_MINUTES);
const MiB = 1024 * 1024;

describe.skipIf(missing("sshd", "password"))(`${minutes} minutes of faults`, () => {
  leavesNothing();

  it(
    "deliver every byte or end the connection with an error, and the tunnel recovers each time",
    async () => {
      const report = await soak({ minutes, seed: POSTERN_SOAK_SEED });
      console.log(describeReport(report));
      const { ledger, before, after } = report;
      expect(ledger.failures).toEqual([]);
      expect(ledger.whole).toBeGreaterThan(ledger.cut);
      expect(ledger.faults.size).toBeGreaterThan(1);
      expect(after.heap - before.heap).toBeLessThan(64 * MiB);
    },
    (minutes + 5) * 60_000,
  );
});
