/** Checks that no provider of ours fails: zero secrets, malformed signatures, and ciphers without a tag of their own. */
import { createCipheriv } from "node:crypto";
import { cipherWorks, createCurve25519 } from "@postern/crypto";
import { toHex, utf8, Writer } from "@postern/wire";
import { describe, expect, it } from "vitest";
import { aes128Ctr, curve25519Sha256, skSshEd25519 } from "../src/index.ts";

describe("curve25519-sha256", () => {
  it("rejects a shared secret of zeros from a platform that does not (RFC 8731 section 3)", () => {
    const zeros = createCurve25519("curve25519-sha256", curve25519Sha256.hash, () => ({
      publicKey: new Uint8Array(32).fill(9),
      agree: () => new Uint8Array(32),
    }));
    const random = (size: number): Uint8Array => new Uint8Array(size).fill(1);
    const refused = expect.objectContaining({ code: "kex", message: expect.stringContaining("got zeros") });
    expect(() => zeros.respond(new Uint8Array(32).fill(9), random)).toThrow(refused);
    expect(() => zeros.start(random).finish(new Uint8Array(32).fill(9))).toThrow(refused);
  });
});

describe("a security key", () => {
  it("reads the use from a well-formed signature only (OpenSSH PROTOCOL.u2f)", () => {
    const signature = (name: string, ...use: number[]): Uint8Array =>
      new Writer().text(name).string(new Uint8Array(64)).raw(Uint8Array.from(use)).finish();
    const name = "sk-ssh-ed25519@openssh.com";
    const read = (blob: Uint8Array): unknown => skSshEd25519.readKeyUse?.(blob);
    expect(read(signature(name, 1, 0, 0, 1, 2))).toEqual({ userPresent: true, userVerified: false, counter: 258 });
    expect(read(signature(name, 4, 0, 0, 0, 0))).toEqual({ userPresent: false, userVerified: true, counter: 0 });
    for (const bad of [
      signature("ssh-ed25519", 1, 0, 0, 0, 0),
      signature(name, 1, 0, 0, 0),
      signature(name, 1, 0, 0, 0, 0, 0),
      utf8("x"),
    ]) {
      expect(() => read(bad)).toThrow(expect.objectContaining({ code: "key" }));
    }
  });
});

describe("the self-test of a cipher that needs a MAC", () => {
  it("compares its key stream with that of OpenSSL", () => {
    const counting = Uint8Array.from({ length: 16 }, (_, index) => index);
    const stream = createCipheriv("aes-128-ctr", counting, counting).update(new Uint8Array(16 + 256));
    const answer = toHex(stream.subarray(0, 16)) + toHex(stream.subarray(-16));
    expect(cipherWorks(aes128Ctr, answer)).toBe(true);
    expect(
      cipherWorks(
        aes128Ctr,
        answer.replace(/.$/, (last) => (last === "0" ? "1" : "0")),
      ),
    ).toBe(false);
  });
});
