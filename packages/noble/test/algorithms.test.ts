/** The ready-made sets, and choosing between a platform's values and ours. */

import {
  type Algorithms,
  type Cipher,
  type PublicKeyAlgorithm,
  preferCipher,
  preferKex,
  preferKey,
  verifyNow,
  webRandom,
} from "@postern/crypto";
import { describe, expect, it } from "vitest";
import {
  aes128Gcm,
  chacha20Poly1305,
  compatible,
  curve25519Sha256,
  ecdhNistp256,
  modern,
  sshEd25519,
} from "../src/index.ts";

const names = (set: Algorithms) => ({
  kex: set.kex.map(({ name }) => name),
  hostKeys: set.hostKeys.map(({ name }) => name),
  ciphers: set.ciphers.map(({ name }) => name),
  macs: set.macs.map(({ name }) => name),
});

describe("sets", () => {
  it("modern: authenticated ciphers alone, ChaCha20-Poly1305 first", () => {
    expect(names(modern)).toEqual({
      kex: ["curve25519-sha256", "curve25519-sha256@libssh.org"],
      hostKeys: [
        "ssh-ed25519",
        "ecdsa-sha2-nistp256",
        "ecdsa-sha2-nistp384",
        "ecdsa-sha2-nistp521",
        "rsa-sha2-512",
        "rsa-sha2-256",
      ],
      ciphers: ["chacha20-poly1305@openssh.com", "aes256-gcm@openssh.com", "aes128-gcm@openssh.com"],
      macs: ["hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com"],
    });
    expect(modern.ciphers.every(({ authenticates }) => authenticates)).toBe(true);
  });

  it("compatible: modern, then what older peers speak", () => {
    const more = names(compatible);
    expect(more.kex.slice(2)).toEqual(["ecdh-sha2-nistp256", "ecdh-sha2-nistp384", "ecdh-sha2-nistp521"]);
    expect(more.ciphers.slice(3)).toEqual(["aes256-ctr", "aes192-ctr", "aes128-ctr"]);
    expect(more.macs.slice(2)).toEqual(["hmac-sha2-256", "hmac-sha2-512"]);
    for (const [list, start] of Object.entries(names(modern))) {
      expect(more[list as keyof Algorithms].slice(0, start.length)).toEqual(start);
    }
  });

  it("has no SHA-1: ssh-rsa is a key type, never an algorithm (RFC 8332 3)", () => {
    expect(compatible.hostKeys.filter(({ keyType }) => keyType === "ssh-rsa").map(({ name }) => name)).toEqual([
      "rsa-sha2-512",
      "rsa-sha2-256",
    ]);
  });
});

describe("preferring a platform's own value", () => {
  const zeros = (cipher: Cipher) => ({
    key: new Uint8Array(cipher.keySize),
    iv: new Uint8Array(cipher.ivSize),
    mac: undefined,
  });
  const right = "34a6fb8cdf3367d2c13fa985001e56fbf121b283cce3948f06083b7937fc47fb";
  const counted = (cipher: Cipher) => {
    const calls = { count: 0 };
    const value: Cipher = {
      ...cipher,
      sealer(keys) {
        calls.count++;
        return cipher.sealer(keys);
      },
    };
    return { calls, value };
  };

  it("tries a cipher at its first use, once, and takes it when its answer is right", () => {
    const own = counted(aes128Gcm);
    const chosen = preferCipher(own.value, chacha20Poly1305, right);
    expect(own.calls.count).toBe(0);
    expect(chosen.sealer(zeros(aes128Gcm)).blockSize).toBe(16);
    expect(own.calls.count).toBe(2);
    chosen.sealer(zeros(aes128Gcm));
    expect(own.calls.count).toBe(3);
  });

  it("takes the other cipher when the answer is wrong or there is none", () => {
    const other = counted(aes128Gcm);
    preferCipher(aes128Gcm, other.value, right.replace(/^./, "0")).sealer(zeros(aes128Gcm));
    const throwing: Cipher = {
      ...aes128Gcm,
      sealer() {
        throw new Error("no such cipher");
      },
    };
    preferCipher(throwing, other.value, right).sealer(zeros(aes128Gcm));
    expect(other.calls.count).toBe(2);
  });

  it("takes the key exchange that can agree with itself", () => {
    const absent = { ...curve25519Sha256, start: () => expect.unreachable() as never };
    const size = (method: typeof curve25519Sha256) => method.start(webRandom).clientPublic.length;
    expect(size(preferKex(absent, ecdhNistp256))).toBe(65);
    expect(size(preferKex(curve25519Sha256, ecdhNistp256))).toBe(32);
  });

  it("asks the other when a public key algorithm throws, and only then", () => {
    const answer = (value: boolean) => ({ ...sshEd25519, verify: () => value });
    const throwing = {
      ...sshEd25519,
      verify(): boolean {
        throw new Error("no such curve");
      },
    };
    const none = new Uint8Array(0);
    expect(preferKey(throwing, answer(true)).verify(none, none, none)).toBe(true);
    expect(preferKey(answer(false), answer(true)).verify(none, none, none)).toBe(false);
  });
});

describe("a verdict that comes later", () => {
  const none = new Uint8Array(0);
  const giving = (verdict: unknown): PublicKeyAlgorithm => ({ ...sshEd25519, verify: () => verdict as boolean });

  it.each([
    () => Promise.resolve(true),
    () => Promise.reject(new Error("no such curve")),
    () => ({}),
    () => 1,
    () => "yes",
    () => undefined,
  ])("is never taken for a yes where nobody can wait (%s)", (verdict) => {
    expect(() => verifyNow(giving(verdict()), none, none, none)).toThrow(
      expect.objectContaining({ code: "misuse", message: expect.stringContaining("verdict of ssh-ed25519 at once") }),
    );
  });

  it("is no such thing when it is a boolean", () => {
    for (const verdict of [true, false]) expect(verifyNow(giving(verdict), none, none, none)).toBe(verdict);
  });

  it("of a platform's own value is taken, unless it rejects", async () => {
    const good = giving(Promise.resolve(true));
    expect(await preferKey(good, giving(false)).verify(none, none, none)).toBe(true);
    expect(await preferKey(giving(Promise.resolve(false)), good).verify(none, none, none)).toBe(false);
    expect(await preferKey(giving(Promise.reject(new Error("no such curve"))), good).verify(none, none, none)).toBe(
      true,
    );
  });
});

describe("a key of another type", () => {
  it("is named in printable characters", () => {
    const blob = Uint8Array.of(0, 0, 0, 4, 0x1b, 0x5b, 0x32, 0x4a);
    expect(() => sshEd25519.verify(blob, blob, blob)).toThrow('got "\\u{1b}[2J"');
  });
});

describe("webRandom", () => {
  it("gives fresh bytes of the size asked for", () => {
    expect(webRandom(0)).toEqual(new Uint8Array(0));
    expect(webRandom(32)).toHaveLength(32);
    expect(webRandom(32)).not.toEqual(webRandom(32));
  });
});
