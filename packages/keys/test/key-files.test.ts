/** Key files of ssh-keygen, openssl and puttygen, read by @postern/noble. */
import { compatibleAlgorithms, readPrivateKey, sha512 } from "@postern/noble";
import { keyFileFamilies, loadVectors, testsOfKeys } from "@postern/testkit/vectors";
import { describe, expect, it } from "vitest";

const provider = { readPrivateKey, algorithms: compatibleAlgorithms.hostKeys, sha512 };

it("needs algorithms that are in no set: CBC, MD5 and SHA-1 cannot be negotiated", () => {
  const { kex, hostKeys, ciphers, macs } = compatibleAlgorithms;
  const names = [...kex, ...hostKeys, ...ciphers, ...macs].map(({ name }) => name);
  expect(names.filter((name) => /cbc|md5|sha1|ssh-rsa$|-sha-?1\b/.test(name))).toEqual([]);
});

describe.each(keyFileFamilies)("%s", (family) => {
  it.each(testsOfKeys(loadVectors("keys", family), provider))("$title", ({ run }) => run());
});
