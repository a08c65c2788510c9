/** Checks that no provider of ours fails: zero secrets, malformed signatures, and ciphers without a tag of their own. */
import { createCipheriv, generateKeyPairSync, sign } from "node:crypto";
import {
  checkRsaKey,
  cipherWorks,
  createCurve25519,
  createEcdh,
  createEcdsa,
  createEd25519,
  createHybrid,
  createRsa,
  createSecurityKey,
  type EphemeralKey,
  type KexMethod,
  nistp256,
} from "@postern/crypto";
import { type Bytes, concat, fromHex, toHex, utf8, Writer } from "@postern/wire";
import { describe, expect, it, vi } from "vitest";
import { aes128Ctr, curve25519Sha256, ecdsaNistp256, sha256, skSshEd25519 } from "../src/index.ts";

/** Returns a blob: the strings, each with its length. */
const strings = (...values: readonly (string | Bytes)[]): Bytes => {
  const writer = new Writer();
  for (const value of values) writer.string(typeof value === "string" ? utf8(value) : value);
  return writer.finish();
};
const none = new Uint8Array(0);
const random = (size: number): Uint8Array => new Uint8Array(size).fill(1);

describe("curve25519-sha256", () => {
  it("rejects a shared secret of zeros from a platform that does not (RFC 8731 section 3)", () => {
    const zeros = createCurve25519("curve25519-sha256", curve25519Sha256.hash, () => ({
      publicKey: new Uint8Array(32).fill(9),
      agree: () => new Uint8Array(32),
    }));
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

describe("a key exchange of a platform that stores its private keys", () => {
  const stored = (size: number) => (): EphemeralKey => ({
    publicKey: new Uint8Array(size).fill(4),
    agree: () => new Uint8Array(32).fill(1),
  });
  const kem = {
    publicKeySize: 5,
    ciphertextSize: 6,
    generate: () => ({ publicKey: new Uint8Array(5), decapsulate: () => new Uint8Array(32) }),
    encapsulate: () => ({ ciphertext: new Uint8Array(6), secret: new Uint8Array(32) }),
  };

  it.each<[KexMethod]>([
    [createCurve25519("curve25519-sha256", sha256, stored(32))],
    [createEcdh(nistp256, sha256, stored(65))],
    [createHybrid("hybrid", sha256, kem, stored(32))],
  ])("discards a key without a method for it ($name)", (method) => {
    const client = method.start(random);
    client.discard();
    expect(() => client.finish(none)).toThrow("expected one finish()");
  });

  it("discards both keys of a hybrid, also after a value of wrong size", () => {
    const [ofKem, ofX25519] = [vi.fn(), vi.fn()];
    const method = createHybrid(
      "hybrid",
      sha256,
      { ...kem, generate: () => ({ ...kem.generate(), discard: ofKem }) },
      () => ({ ...stored(32)(), discard: ofX25519 }),
    );
    expect(method.isPostQuantum).toBe(true);
    const client = method.start(random);
    expect(() => client.finish(new Uint8Array(37))).toThrow("hybrid: expected a public value of 38 bytes, got 37");
    client.discard();
    for (const discard of [ofKem, ofX25519]) expect(discard).toHaveBeenCalledOnce();
  });

  it("overwrites both secrets of a hybrid", () => {
    const secrets = [1, 2, 3, 4].map((byte) => new Uint8Array(32).fill(byte));
    const [encapsulated, decapsulated, ...shared] = secrets as [Bytes, Bytes, ...Bytes[]];
    const method = createHybrid(
      "hybrid",
      sha256,
      {
        ...kem,
        generate: () => ({ publicKey: new Uint8Array(5), decapsulate: () => decapsulated }),
        encapsulate: () => ({ ciphertext: new Uint8Array(6), secret: encapsulated }),
      },
      () => ({ publicKey: new Uint8Array(32).fill(4), agree: () => shared.pop() ?? expect.unreachable() }),
    );
    const client = method.start(random);
    client.finish(method.respond(client.clientPublic, random).serverPublic);
    for (const secret of secrets) expect(secret).toEqual(new Uint8Array(32));
  });

  it("rejects a NIST point that is not uncompressed (RFC 5656 section 4, SEC 1 section 2.3.3)", () => {
    const method = createEcdh(nistp256, sha256, stored(65));
    const respond = (first: number, size: number) => () =>
      method.respond(concat(Uint8Array.of(first), new Uint8Array(size - 1)), random);
    expect(respond(4, 65)()).toMatchObject({ serverPublic: new Uint8Array(65).fill(4) });
    const error = (got: string): unknown =>
      expect.objectContaining({
        code: "kex",
        message: `nistp256: expected an uncompressed point of 65 bytes, got ${got}`,
      });
    expect(respond(2, 33)).toThrow(error("33 bytes"));
    expect(respond(6, 65)).toThrow(error("a first byte of 6"));
    expect(respond(4, 66)).toThrow(error("66 bytes"));
  });
});

describe("a host key of a platform that accepts every key and signature", () => {
  const ecdsa = createEcdsa(nistp256, { checkPoint() {}, verify: () => true });
  const ed25519 = createEd25519(() => true);
  const point = concat(Uint8Array.of(4), new Uint8Array(64));

  it("has an uncompressed point on the named curve (RFC 5656 section 3.1)", () => {
    const name = "ecdsa-sha2-nistp256";
    const verify =
      (...fields: readonly (string | Bytes)[]) =>
      () =>
        ecdsa.verify(strings(name, ...fields), none, none);
    expect(verify("nistp256", point)()).toBe(false);
    expect(verify("nistp256", point.fill(6, 0, 1))).toThrow("got a first byte of 6");
    expect(verify("nistp256", point.slice(1))).toThrow("got 64 bytes");
    expect(verify(`\u001b[2J${"x".repeat(100)}`, point)).toThrow(
      expect.objectContaining({
        code: "key",
        message: `expected the curve nistp256, got "\\u{1b}[2J${"x".repeat(60)}…"`,
      }),
    );
  });

  it("is refused with the reason of the platform", () => {
    const cause = new Error("not on the curve");
    const refusing = createEcdsa(nistp256, {
      checkPoint() {
        throw cause;
      },
      verify: () => true,
    });
    const blob = strings("ecdsa-sha2-nistp256", "nistp256", concat(Uint8Array.of(4), new Uint8Array(64)));
    expect(() => refusing.verify(blob, none, none)).toThrow(expect.objectContaining({ code: "key", cause }));
  });

  it("is refused with the field that is malformed", () => {
    const short = strings("ssh-ed25519").slice(0, -1);
    expect(() => ed25519.verify(short, none, none)).toThrow(
      expect.objectContaining({ code: "key", cause: expect.objectContaining({ code: "protocol" }) }),
    );
    expect(() => ed25519.verify(strings("ssh-rsa"), none, none)).toThrow(
      expect.objectContaining({ code: "key", message: 'expected a key of type ssh-ed25519, got "ssh-rsa"' }),
    );
  });

  // The list of `ge25519_has_small_order` in libsodium, and 2^255 - 1.
  it.each([
    "0100000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  ])("has no valid signature for the Ed25519 key %s with either sign (RFC 8032 section 5.1.3)", (hex) => {
    const signature = strings("ssh-ed25519", new Uint8Array(64));
    for (const sign of [0, 0x80]) {
      const key = fromHex(hex);
      key[31]! |= sign;
      expect(ed25519.verify(strings("ssh-ed25519", key), none, signature)).toBe(false);
    }
    const base = new Uint8Array(32).fill(0x66).fill(0x58, 0, 1);
    expect(ed25519.verify(strings("ssh-ed25519", base), none, signature)).toBe(true);
  });

  it("verifies an RSA signature as long as the modulus (RFC 8332 section 3)", () => {
    const sizes: number[] = [];
    const rsa = createRsa("rsa-sha2-256", (_key, _data, signature) => sizes.push(signature.length) > 0);
    const modulus = concat(Uint8Array.of(0), new Uint8Array(256).fill(0xff));
    const key = strings("ssh-rsa", Uint8Array.of(3), modulus);
    for (const size of [256, 255, 1]) expect(rsa.verify(key, none, strings("rsa-sha2-256", random(size)))).toBe(true);
    expect(sizes).toEqual([256, 256, 256]);
    expect(rsa.verify(key, none, strings("rsa-sha2-256", random(257)))).toBe(false);
  });

  it("has no valid security key signature that is malformed (OpenSSH PROTOCOL.u2f)", () => {
    const key = strings("sk-ssh-ed25519@openssh.com", new Uint8Array(32).fill(5), "ssh:");
    const plain = { name: "ssh-ed25519", keyType: "ssh-ed25519", verify: () => true };
    const name = "sk-ssh-ed25519@openssh.com";
    const verify = (...use: number[]): unknown =>
      createSecurityKey(plain, sha256).verify(
        key,
        none,
        concat(strings(name, new Uint8Array(64)), Uint8Array.from(use)),
      );
    expect(verify(1, 0, 0, 0, 0)).toBe(true);
    expect(verify(1, 0, 0, 0)).toBe(false);
    expect(verify(1, 0, 0, 0, 0, 0)).toBe(false);
  });

  it("is rebuilt as a security key on another implementation of its algorithm", () => {
    const { base } = createSecurityKey(ed25519, sha256);
    expect(base?.algorithm).toBe(ed25519);
    const blob = strings("sk-ssh-ed25519@openssh.com", new Uint8Array(32).fill(5), "ssh:");
    const signature = concat(strings("sk-ssh-ed25519@openssh.com", new Uint8Array(64)), Uint8Array.of(1, 0, 0, 0, 0));
    const other = { ...ed25519, verify: vi.fn(() => true) };
    expect(base?.rebuild(other).verify(blob, none, signature)).toBe(true);
    expect(other.verify).toHaveBeenCalledOnce();
  });
});

describe("an ECDSA signature", () => {
  it("has r and s of the size of the curve, so that no long s contains both (RFC 5656 section 3.1.2)", () => {
    const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const { x = "", y = "" } = publicKey.export({ format: "jwk" });
    const point = concat(Uint8Array.of(4), Buffer.from(x, "base64url"), Buffer.from(y, "base64url"));
    const key = strings("ecdsa-sha2-nistp256", "nistp256", point);
    const data = utf8("the exchange hash would be here");
    const pair = new Uint8Array(sign("sha256", data, { key: privateKey, dsaEncoding: "ieee-p1363" }));
    const signature = (r: Bytes, s: Bytes): Bytes =>
      strings("ecdsa-sha2-nistp256", new Writer().mpint(r).mpint(s).finish());
    expect(ecdsaNistp256.verify(key, data, signature(pair.slice(0, 32), pair.slice(32)))).toBe(true);
    expect(ecdsaNistp256.verify(key, data, signature(Uint8Array.of(1), pair))).toBe(false);
  });
});

describe("an RSA key", () => {
  const bits = (size: number): Bytes => {
    const value = new Uint8Array(Math.ceil(size / 8));
    value[0] = 1 << ((size - 1) % 8);
    value[value.length - 1]! |= 1;
    return value;
  };

  it("has a modulus of 2048 to 16,384 bits and an exponent of at most 64", () => {
    for (const size of [2048, 16_384]) checkRsaKey({ modulus: bits(size), exponent: Uint8Array.of(3) });
    checkRsaKey({ modulus: bits(2048), exponent: bits(64) });
    for (const size of [2047, 16_385]) {
      const key = { modulus: bits(size), exponent: Uint8Array.of(3) };
      expect(() => checkRsaKey(key)).toThrow(`expected an RSA modulus of 2048 to 16384 bits, got ${size}`);
    }
    expect(() => checkRsaKey({ modulus: bits(2048), exponent: bits(65) })).toThrow("got an odd one of 65 bits");
    expect(() => checkRsaKey({ modulus: none, exponent: none })).toThrow("16384 bits, got 0");
  });
});
