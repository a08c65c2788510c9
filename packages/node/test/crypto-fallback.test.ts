/** On a platform whose `node:crypto` lacks the algorithms, the same values still work, in JavaScript. */

import { cipherTests, hostKeyTests, kexTests } from "@postern/testkit/vectors";
import { describe, expect, it, vi } from "vitest";
import { compatible } from "../src/crypto.ts";

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
    verify: refuse,
  };
});

describe("without native algorithms", () => {
  const tests = [
    ...compatible.ciphers.flatMap((cipher) => cipherTests(cipher, compatible.macs).slice(0, 4)),
    ...compatible.kex.flatMap((method) => kexTests(method).slice(0, 2)),
    ...compatible.hostKeys.flatMap((algorithm) => hostKeyTests(algorithm).slice(0, 4)),
  ];
  for (const { title, run } of tests) it(title, run);
});

describe("with a chacha20 that reads its IV otherwise", () => {
  it("is not used", async () => {
    wrong.cipher = true;
    vi.resetModules();
    const { nativeChaCha20Poly1305 } = await import("../src/crypto.ts");
    const [first] = cipherTests(nativeChaCha20Poly1305, []);
    expect(first?.title).toContain("chacha20-poly1305@openssh.com");
    await first?.run();
  });
});
