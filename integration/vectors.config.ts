/** Runs all vectors in every runtime: `npm run vectors`. */
import { mergeConfig } from "vitest/config";
import base from "../vitest.config.ts";

const { projects: _none, ...test } = base.test ?? {};

export default mergeConfig(
  { ...base, test },
  { test: { include: ["integration/runtimes/all-vectors.ts"], testTimeout: 600_000, hookTimeout: 60_000 } },
);
