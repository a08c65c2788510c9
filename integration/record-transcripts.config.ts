/** Records the transcripts: `npx vitest run --config integration/record-transcripts.config.ts`. No test runs this. */
import { mergeConfig } from "vitest/config";
import base from "../vitest.config.ts";

const { projects: _none, ...test } = base.test ?? {};

export default mergeConfig(
  { ...base, test },
  {
    test: {
      include: ["integration/record-transcripts.ts", "integration/record-other-transcripts.ts"],
      fileParallelism: false,
      testTimeout: 120_000,
      hookTimeout: 60_000,
    },
  },
);
