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

const publicKeys = [...compatibleAlgorithms.hostKeys, skSshEd25519, skEcdsaNistp256];
const tests = {
  ...providerTests({ ...compatibleAlgorithms, hostKeys: publicKeys }, [sha256, sha384, sha512]),
  certificates: allCertificateTests(publicKeys, certificateAlgorithms),
  "public keys with WebCrypto": hostKeyTests(webSshEd25519),
};

describe.each(Object.entries(tests))("%s", (_kind, tests) => {
  for (const { title, run } of tests) it(title, run);
});
