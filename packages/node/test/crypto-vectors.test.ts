/** The algorithms of this package against all test vectors. */
import { allCertificateTests, providerTests } from "@postern/testkit/vectors";
import { describe, it } from "vitest";
import { compatibleAlgorithms } from "../src/algorithm-sets.ts";
import { certificateAlgorithms, sha256, sha384, sha512, skEcdsaNistp256, skSshEd25519 } from "../src/algorithms.ts";

const publicKeys = [...compatibleAlgorithms.hostKeys, skSshEd25519, skEcdsaNistp256];
const tests = {
  ...providerTests({ ...compatibleAlgorithms, hostKeys: publicKeys }, [sha256, sha384, sha512]),
  certificates: allCertificateTests(publicKeys, certificateAlgorithms),
};

describe.each(Object.entries(tests))("%s", (_kind, tests) => {
  for (const { title, run } of tests) it(title, run);
});
