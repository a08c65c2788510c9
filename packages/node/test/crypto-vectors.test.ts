/** The algorithms of this package, as prepareAlgorithms chooses them, against all test vectors. */
import { allCertificateTests, providerTests } from "@postern/testkit/vectors";
import { describe, it } from "vitest";
import { compatibleAlgorithms } from "../src/algorithm-sets.ts";
import { certificateAlgorithms, sha256, sha384, sha512, skEcdsaNistp256, skSshEd25519 } from "../src/algorithms.ts";
import { prepareAlgorithms } from "../src/prepare.ts";

const prepared = await prepareAlgorithms(compatibleAlgorithms);
const hostKeys = [...compatibleAlgorithms.hostKeys, skSshEd25519, skEcdsaNistp256];
const tests = {
  ...providerTests({ ...prepared, hostKeys }, [sha256, sha384, sha512]),
  certificates: allCertificateTests(hostKeys, certificateAlgorithms),
};

describe.each(Object.entries(tests))("%s", (_kind, tests) => {
  for (const { title, run } of tests) it(title, run);
});
