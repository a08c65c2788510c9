/** All vectors of all algorithms, run against pure JavaScript and WebCrypto. */
import { hostKeyTests, providerTests } from "@postern/testkit/vectors";
import { webSshEd25519 } from "@postern/web";
import { describe, it } from "vitest";
import { compatibleAlgorithms, sha256, sha384, sha512 } from "../src/index.ts";

const tests = {
  ...providerTests(compatibleAlgorithms, [sha256, sha384, sha512]),
  "public keys with WebCrypto": hostKeyTests(webSshEd25519),
};

describe.each(Object.entries(tests))("%s", (_kind, tests) => {
  for (const { title, run } of tests) it(title, run);
});
