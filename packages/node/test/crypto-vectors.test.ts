/** Every vector of every algorithm against the native values. */

import { cipherTests, hashTests, hostKeyTests, kexTests, macTests, type VectorTest } from "@postern/testkit/vectors";
import { describe, it } from "vitest";
import { compatible, sha256, sha384, sha512 } from "../src/algorithms.ts";

function register(title: string, tests: readonly VectorTest[]): void {
  describe(title, () => {
    for (const { title, run } of tests) it(title, run);
  });
}

register("hashes", [sha256, sha384, sha512].flatMap(hashTests));
register("MACs", compatible.macs.flatMap(macTests));
register(
  "ciphers",
  compatible.ciphers.flatMap((cipher) => cipherTests(cipher, compatible.macs)),
);
register("key exchanges", compatible.kex.flatMap(kexTests));
register("public keys", compatible.hostKeys.flatMap(hostKeyTests));
