/** On a platform whose `node:crypto` lacks the algorithms, the same values still work, in JavaScript. */

import { cipherTests, hostKeyTests, kexTests } from "@postern/testkit/vectors";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { compatible, modern, nativeSshEd25519 } from "../src/crypto.ts";
import { readPrivateKey } from "../src/keys.ts";
import { prepareAlgorithms } from "../src/late.ts";
import { hashPassword, policy } from "../src/passwords.ts";
import { keyVectors } from "./key-vectors.ts";

const refuse = vi.hoisted(() => (): never => {
  throw new Error("not supported here");
});
const wrong = vi.hoisted(() => ({ cipher: false }));

vi.mock("node:crypto", async (original) => {
  const real = await original<typeof import("node:crypto")>();
  return {
    ...real,
    // OpenSSL's chacha20 takes counter and nonce as its IV; a platform that reads it otherwise must be found out.
    createCipheriv: (name: string, key: Uint8Array, iv: Uint8Array) =>
      wrong.cipher && name === "chacha20" ? real.createCipheriv(name, key, iv.slice().reverse()) : refuse(),
    createDecipheriv: refuse,
    createECDH: refuse,
    createPrivateKey: refuse,
    createPublicKey: refuse,
    diffieHellman: refuse,
    scrypt: refuse,
    verify: refuse,
  };
});

describe("without native algorithms", () => {
  it("says what to await, when they are used before", async () => {
    const misuse = expect.objectContaining({ code: "misuse", message: expect.stringContaining("prepareAlgorithms") });
    const [cipher] = compatible.ciphers.flatMap((one) => cipherTests(one, compatible.macs).slice(0, 1));
    const [kex] = kexTests(compatible.kex[0] ?? expect.unreachable());
    const [key] = hostKeyTests(nativeSshEd25519);
    for (const test of [cipher, kex, key]) await expect((async () => await test?.run())()).rejects.toThrow(misuse);
  });

  describe("once they are prepared", () => {
    beforeAll(() => prepareAlgorithms(modern));
    const tests = [
      ...compatible.ciphers.flatMap((cipher) => cipherTests(cipher, compatible.macs).slice(0, 4)),
      ...compatible.kex.flatMap((method) => kexTests(method).slice(0, 2)),
      ...compatible.hostKeys.flatMap((algorithm) => hostKeyTests(algorithm).slice(0, 4)),
    ];
    for (const { title, run } of tests) it(title, run);
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

describe("with a chacha20 that reads its IV otherwise", () => {
  it("is not used", async () => {
    wrong.cipher = true;
    vi.resetModules();
    const { nativeChaCha20Poly1305 } = await import("../src/crypto.ts");
    const late = await import("../src/late.ts");
    await late.prepareAlgorithms({ ciphers: [nativeChaCha20Poly1305] });
    const [first] = cipherTests(nativeChaCha20Poly1305, []);
    expect(first?.title).toContain("chacha20-poly1305@openssh.com");
    await first?.run();
  });
});
