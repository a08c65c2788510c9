/** The algorithms of @postern/noble replace those that `node:crypto` lacks. */

import { allCertificateTests, cipherTests, hostKeyTests, kexTests } from "@postern/testkit/vectors";
import { describe, expect, it, vi } from "vitest";
import { compatibleAlgorithms } from "../src/algorithm-sets.ts";
import { chacha20Poly1305 } from "../src/algorithms.ts";
import { certificateAlgorithms, skEcdsaNistp256, skSshEd25519 } from "../src/certificate-algorithms.ts";
import { readPrivateKey } from "../src/keys.ts";
import { hashPassword, policy } from "../src/passwords.ts";
import { prepareAlgorithms } from "../src/prepare.ts";
import { keyVectors } from "./key-vectors.ts";

const refuse = vi.hoisted(() => (): never => {
  throw new Error("not supported here");
});

vi.mock("node:crypto", async (original) => {
  const real = await original<typeof import("node:crypto")>();
  return {
    ...real,
    createCipheriv: refuse,
    createDecipheriv: refuse,
    createECDH: refuse,
    createPrivateKey: refuse,
    createPublicKey: refuse,
    encapsulate: undefined,
    decapsulate: undefined,
    diffieHellman: refuse,
    scrypt: refuse,
    verify: refuse,
  };
});

describe("without native algorithms", () => {
  describe("after prepareAlgorithms", async () => {
    const prepared = await prepareAlgorithms(compatibleAlgorithms);
    const tests = [
      ...prepared.ciphers.flatMap((cipher) => cipherTests(cipher, compatibleAlgorithms.macs).slice(0, 4)),
      ...prepared.kex
        .filter(({ groupExchange }) => groupExchange === undefined)
        .flatMap((method) => kexTests(method).slice(0, 2)),
      ...prepared.hostKeys.flatMap((algorithm) => hostKeyTests(algorithm).slice(0, 4)),
    ];
    for (const { title, run } of tests) it(title, run);

    it("rebuilds certificates and security keys on them", async () => {
      const built = [...certificateAlgorithms, skSshEd25519, skEcdsaNistp256];
      const { hostKeys } = await prepareAlgorithms({ ...compatibleAlgorithms, hostKeys: built });
      expect(hostKeys.map(({ name }) => name)).toEqual(built.map(({ name }) => name));
      for (const { run } of allCertificateTests(prepared.hostKeys, hostKeys).slice(0, 2)) await run();
      for (const algorithm of hostKeys.slice(-2))
        for (const { run } of hostKeyTests(algorithm).slice(0, 2)) await run();
    });

    it("replaces every algorithm of node:crypto by the one with the same name, in the same order", () => {
      for (const list of ["kex", "hostKeys", "ciphers"] as const) {
        expect(prepared[list].map(({ name }) => name)).toEqual(compatibleAlgorithms[list].map(({ name }) => name));
        for (const one of prepared[list]) {
          // WebAssembly works without node:crypto.
          if (one !== chacha20Poly1305) expect(compatibleAlgorithms[list]).not.toContain(one);
        }
      }
    });
  });

  it.each(keyVectors)("reads and signs with a key: %s", async (_comment, { privateKey, publicKey }) => {
    const signer = await readPrivateKey(privateKey);
    expect(signer.publicKey).toEqual(publicKey);
    const [algorithm = ""] = signer.algorithms;
    expect((await signer.sign(new Uint8Array(8), algorithm)).length).toBeGreaterThan(64);
  });

  it("hashes passwords", async () => {
    const hash = await hashPassword("secret", { ln: 4 });
    const attempt = { method: "password", user: "ann", password: "secret", signal: new AbortController().signal };
    expect(await policy({ ann: { password: hash } })(attempt as never)).not.toBe(false);
  });
});

describe("without WebAssembly", () => {
  it("uses the ChaCha20-Poly1305 of @postern/noble", async () => {
    vi.stubGlobal("WebAssembly", undefined);
    vi.resetModules();
    const { chacha20Poly1305 } = await import("../src/algorithms.ts");
    const { modernAlgorithms: own } = await import("../src/algorithm-sets.ts");
    const fresh = await import("../src/prepare.ts");
    const { ciphers } = await fresh.prepareAlgorithms({ ...own, ciphers: [chacha20Poly1305] });
    vi.unstubAllGlobals();
    const [cipher = expect.unreachable()] = ciphers;
    expect(cipher).not.toBe(chacha20Poly1305);
    const [first] = cipherTests(cipher, []);
    expect(first?.title).toContain("chacha20-poly1305@openssh.com");
    await first?.run();
  });
});
