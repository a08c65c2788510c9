/** The state traces of `test-vectors/traces`, played against Postern in both roles. */
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { runSuite, tracesFor } from "../test-vectors/runner/suite.mjs";

const shim = fileURLToPath(new URL("../test-vectors/shims/postern.mjs", import.meta.url));

it.concurrent.each(["server", "client"] as const)(
  "ends every state trace as the RFCs allow, as %s",
  { timeout: 600_000 },
  async (role) => {
    // Longer than on an idle machine: a silent implementation fails the trace.
    const { results } = await runSuite([process.execPath, shim], role, { timeoutMs: 30_000 });
    const problems = results.filter(({ problem }) => problem !== undefined);
    expect(problems.map(({ trace, problem }) => `${trace.file} ${trace.tcId} (${trace.comment}): ${problem}`)).toEqual(
      [],
    );
    expect(results).toHaveLength(tracesFor(role).length);
  },
);
