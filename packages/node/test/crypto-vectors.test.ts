/** The algorithms of this package against all test vectors. */
import { providerTests } from "@postern/testkit/vectors";
import { describe, it } from "vitest";
import { compatibleAlgorithms } from "../src/algorithm-sets.ts";
import { sha256, sha384, sha512 } from "../src/algorithms.ts";

const tests = providerTests(compatibleAlgorithms, [sha256, sha384, sha512]);

describe.each(Object.entries(tests))("%s", (_kind, tests) => {
  for (const { title, run } of tests) it(title, run);
});
