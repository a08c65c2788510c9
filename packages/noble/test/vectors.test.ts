/** All vectors of all algorithms, run against pure JavaScript and WebCrypto. */
import { allCertificateTests, hostKeyTests, providerTests } from "@postern/testkit/vectors";
import { webSshEd25519 } from "@postern/web";
import { describe, it } from "vitest";
import {
  certificateAlgorithms,
  compatibleAlgorithms,
  sha256,
  sha384,
  sha512,
  skEcdsaNistp256,
  skSshEd25519,
} from "../src/index.ts";

const tests = {
  ...providerTests(compatibleAlgorithms, [sha256, sha384, sha512]),
  "security keys": [skSshEd25519, skEcdsaNistp256].flatMap(hostKeyTests),
  certificates: allCertificateTests(
    [...compatibleAlgorithms.hostKeys, skSshEd25519, skEcdsaNistp256],
    certificateAlgorithms,
  ),
  "public keys with WebCrypto": hostKeyTests(webSshEd25519),
};

describe.each(Object.entries(tests))("%s", (_kind, tests) => {
  for (const { title, run } of tests) it(title, run);
});
