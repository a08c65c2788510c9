/** Key files of ssh-keygen, openssl and puttygen, read by @postern/noble. */
import { compatibleAlgorithms, readPrivateKey, sha512 } from "@postern/noble";
import { keyFileFamilies, loadVectors, testsOfKeys } from "@postern/testkit/vectors";
import { describe, it } from "vitest";

const provider = { readPrivateKey, algorithms: compatibleAlgorithms.hostKeys, sha512 };

describe.each(keyFileFamilies)("%s", (family) => {
  it.each(testsOfKeys(loadVectors("keys", family), provider))("$title", ({ run }) => run());
});
