/** The algorithms of this package against all test vectors. */

import { cipherTests, hashTests, hostKeyTests, kexTests, macTests, type VectorTest } from "@postern/testkit/vectors";
import { describe, it } from "vitest";
import { compatibleAlgorithms } from "../src/algorithm-sets.ts";
import { sha256, sha384, sha512 } from "../src/algorithms.ts";

function register(title: string, tests: readonly VectorTest[]): void {
  describe(title, () => {
    for (const { title, run } of tests) it(title, run);
  });
}

register("hashes", [sha256, sha384, sha512].flatMap(hashTests));
register("MACs", compatibleAlgorithms.macs.flatMap(macTests));
register(
  "ciphers",
  compatibleAlgorithms.ciphers.flatMap((cipher) => cipherTests(cipher, compatibleAlgorithms.macs)),
);
register("key exchanges", compatibleAlgorithms.kex.flatMap(kexTests));
register("public keys", compatibleAlgorithms.hostKeys.flatMap(hostKeyTests));
