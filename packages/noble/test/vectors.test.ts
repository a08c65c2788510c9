/** All vectors of all algorithms, run against pure JavaScript and WebCrypto. */
import {
  allCertificateTests,
  authorizedKeysTests,
  fingerprintTests,
  hostKeyTests,
  knownHostsTests,
  loadVectors,
  providerTests,
} from "@postern/testkit/vectors";
import { webSshEd25519 } from "@postern/web";
import { describe, it } from "vitest";
import {
  certificateAlgorithms,
  compatibleAlgorithms,
  hmacSha1,
  sha256,
  sha384,
  sha512,
  skEcdsaNistp256,
  skSshEd25519,
} from "../src/index.ts";

const hostKeys = [...compatibleAlgorithms.hostKeys, skSshEd25519, skEcdsaNistp256];
const tests = {
  ...providerTests({ ...compatibleAlgorithms, hostKeys }, [sha256, sha384, sha512]),
  certificates: allCertificateTests(hostKeys, certificateAlgorithms),
  "authorized keys": authorizedKeysTests(loadVectors("authorized-keys", "verdicts"), hostKeys),
  fingerprints: fingerprintTests(loadVectors("fingerprint", "sha256")),
  "known hosts": knownHostsTests(loadVectors("known-hosts", "verdicts"), hostKeys, hmacSha1),
  "public keys with WebCrypto": hostKeyTests(webSshEd25519),
};

describe.each(Object.entries(tests))("%s", (_kind, tests) => {
  for (const { title, run } of tests) it(title, run);
});
