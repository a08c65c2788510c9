/** Keys and passwords with `node:crypto`, compared with those of @postern/noble. */

import * as portable from "@postern/noble";
import { keyFileFamilies, loadVectors, testsOfKeys } from "@postern/testkit/vectors";
import * as host from "@postern/web";
import { describe, expect, it } from "vitest";
import { compatibleAlgorithms } from "../src/algorithm-sets.ts";
import { sha512 } from "../src/algorithms.ts";
import { generatePrivateKey, readPrivateKey, rewritePrivateKey, sha256Fingerprint } from "../src/keys.ts";
import { hashPassword, policy } from "../src/passwords.ts";
import { keyVectors } from "./key-vectors.ts";

const attempt = (password: string) =>
  ({ method: "password", user: "ann", password, signal: new AbortController().signal }) as never;

describe("keys", () => {
  it.each(keyVectors)("reads a key: %s", async (_title, { privateKey, publicKey, fingerprint }) => {
    const signer = await readPrivateKey(privateKey);
    expect(signer.publicKey).toEqual(publicKey);
    expect(sha256Fingerprint(signer.publicKey)).toBe(fingerprint);
  });

  it("rejects Ed25519 and ECDSA keys whose halves are from different pairs", async () => {
    for (const [type, { privateKey }] of keyVectors) {
      if (type.startsWith("ssh-rsa")) continue;
      const key = portable.parsePrivateKey(privateKey);
      const secret = "seed" in key ? key.seed : "scalar" in key ? key.scalar : expect.unreachable();
      // The last bytes of the secret, as they are in the file.
      const file = Buffer.from(privateKey.replace(/-----.*-----|\s/g, ""), "base64");
      file[file.lastIndexOf(secret.subarray(-8)) + 7]! ^= 1;
      const text = `-----BEGIN OPENSSH PRIVATE KEY-----\n${file.toString("base64")}\n-----END OPENSSH PRIVATE KEY-----\n`;
      await expect(readPrivateKey(text)).rejects.toMatchObject({ code: "key" });
    }
  });

  it.each(keyVectors)("rewrites a key of text or bytes with another comment: %s", async (_title, vector) => {
    for (const file of [vector.privateKey, Buffer.from(vector.privateKey)]) {
      const { text, publicKey, comment } = await rewritePrivateKey(file, { newPassphrase: "", comment: "new" });
      expect([publicKey, comment]).toEqual([vector.publicKey, "new"]);
      expect((await readPrivateKey(text)).publicKey).toEqual(vector.publicKey);
    }
  });

  it("does not write a comment of several lines into a key file", async () => {
    const [[, { privateKey }]] = keyVectors as [(typeof keyVectors)[0]];
    await expect(rewritePrivateKey(privateKey, { newPassphrase: "", comment: "a\nb" })).rejects.toMatchObject({
      code: "misuse",
      message: "expected a comment of one line, got several lines",
    });
  });

  it("generates the same key from the same randomness", () => {
    const options = { comment: "me", random: (size: number) => new Uint8Array(size).fill(7) };
    expect(generatePrivateKey(options)).toBe(portable.generatePrivateKey(options));
  });
});

describe("key files", () => {
  const provider = { readPrivateKey, algorithms: compatibleAlgorithms.hostKeys, sha512, hasTripleDes: true };
  describe.each(keyFileFamilies)("%s", (family) => {
    it.each(testsOfKeys(loadVectors("keys", family), provider))("$title", ({ run }) => run());
  });
});

describe("passwords", () => {
  it("accepts hashes of @postern/noble, and the other way round", async () => {
    const cost = { ln: 4, r: 8, p: 2 };
    const [here, there] = [await hashPassword("secret", cost), await host.hashPassword("secret", cost)];
    for (const authorize of [host.policy({ ann: { password: here } }), policy({ ann: { password: there } })]) {
      expect(await authorize(attempt("secret"))).not.toBe(false);
      expect(await authorize(attempt("Secret"))).toBe(false);
    }
  });

  it.each([
    ["plain", "password"],
    ["argon2id", "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"],
  ])("%s are compared", async (_title, stored) => {
    const authorize = policy({ ann: { password: stored } });
    expect(await authorize(attempt("password"))).not.toBe(false);
    expect(await authorize(attempt("Password"))).toBe(false);
  });

  it("hashes with a cost that OpenSSL rejects", async () => {
    const stored = await hashPassword("secret", { ln: 17, r: 1, p: 1 });
    expect(await policy({ ann: { password: stored } })(attempt("secret"))).not.toBe(false);
  });
});
