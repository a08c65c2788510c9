/** Sets of algorithms, and the self-tests that decide whether a platform supports an algorithm. */
import {
  type Algorithms,
  type Cipher,
  cipherWorks,
  type KexMethod,
  kexWorks,
  type PublicKeyAlgorithm,
  verifyNow,
  webRandom,
} from "@postern/crypto";
import { describe, expect, it } from "vitest";
import {
  aes128Gcm,
  chacha20Poly1305,
  compatibleAlgorithms,
  curve25519Sha256,
  ecdhNistp256,
  modernAlgorithms,
  sshEd25519,
} from "../src/index.ts";

const names = (set: Algorithms) => ({
  kex: set.kex.map(({ name }) => name),
  hostKeys: set.hostKeys.map(({ name }) => name),
  ciphers: set.ciphers.map(({ name }) => name),
  macs: set.macs.map(({ name }) => name),
});

describe("sets", () => {
  it("offers only AEAD ciphers in modernAlgorithms, ChaCha20-Poly1305 first", () => {
    expect(names(modernAlgorithms)).toEqual({
      kex: [
        "mlkem768x25519-sha256",
        "sntrup761x25519-sha512",
        "sntrup761x25519-sha512@openssh.com",
        "curve25519-sha256",
        "curve25519-sha256@libssh.org",
      ],
      hostKeys: ["ssh-ed25519", "rsa-sha2-512", "rsa-sha2-256"],
      ciphers: ["chacha20-poly1305@openssh.com", "aes256-gcm@openssh.com", "aes128-gcm@openssh.com"],
      macs: ["hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com"],
    });
    expect(modernAlgorithms.ciphers.every(({ isAead }) => isAead)).toBe(true);
  });

  it("appends algorithms of older peers in compatibleAlgorithms", () => {
    const more = names(compatibleAlgorithms);
    expect(more.kex.slice(5)).toEqual([
      "ecdh-sha2-nistp256",
      "ecdh-sha2-nistp384",
      "ecdh-sha2-nistp521",
      "diffie-hellman-group16-sha512",
      "diffie-hellman-group18-sha512",
      "diffie-hellman-group-exchange-sha256",
      "diffie-hellman-group14-sha256",
    ]);
    expect(more.ciphers.slice(3)).toEqual(["aes256-ctr", "aes192-ctr", "aes128-ctr"]);
    expect(more.macs.slice(2)).toEqual(["hmac-sha2-256", "hmac-sha2-512"]);
    for (const list of ["kex", "ciphers", "macs"] as const) {
      const start = names(modernAlgorithms)[list];
      expect(more[list].slice(0, start.length)).toEqual(start);
    }
    // As in OpenSSH, before RSA.
    expect(more.hostKeys).toEqual([
      "ssh-ed25519",
      "ecdsa-sha2-nistp256",
      "ecdsa-sha2-nistp384",
      "ecdsa-sha2-nistp521",
      "rsa-sha2-512",
      "rsa-sha2-256",
    ]);
  });

  it("offers ssh-rsa as a key type only, never as an algorithm with SHA-1 (RFC 8332 section 3)", () => {
    expect(
      compatibleAlgorithms.hostKeys.filter(({ keyType }) => keyType === "ssh-rsa").map(({ name }) => name),
    ).toEqual(["rsa-sha2-512", "rsa-sha2-256"]);
  });
});

describe("self-tests", () => {
  const answer = "34a6fb8cdf3367d2c13fa985001e56fbf121b283cce3948f06083b7937fc47fb";

  it("accepts a cipher that computes the known answer", () => {
    expect(cipherWorks(aes128Gcm, answer)).toBe(true);
  });

  it("numbers the packets of the known answer (OpenSSH PROTOCOL.chacha20poly1305)", () => {
    // Computed with Python's cryptography 48: ChaCha20 and Poly1305, with the nonces 0x01020304 and 0x01020305.
    const tags = "4db1f2b5e8c31c5ec27a825d1a236c65594b8d64fe255c8e3c83bb91a6c1f478";
    expect(cipherWorks(chacha20Poly1305, tags)).toBe(true);
  });

  it("rejects a cipher that computes another answer", () => {
    expect(cipherWorks(aes128Gcm, answer.replace(/^./, "0"))).toBe(false);
    expect(cipherWorks(chacha20Poly1305, answer)).toBe(false);
  });

  it("rejects a cipher that throws", () => {
    const throwing: Cipher = {
      ...aes128Gcm,
      sealer() {
        throw new Error("no such cipher");
      },
    };
    expect(cipherWorks(throwing, answer)).toBe(false);
  });

  it("accepts a key exchange whose sides agree, and rejects others", () => {
    expect(kexWorks(curve25519Sha256)).toBe(true);
    expect(kexWorks({ ...curve25519Sha256, start: ecdhNistp256.start })).toBe(false);
    const disagreeing: KexMethod = {
      ...curve25519Sha256,
      respond: (theirs, random) => ({ ...curve25519Sha256.respond(theirs, random), secret: new Uint8Array(32) }),
    };
    expect(kexWorks(disagreeing)).toBe(false);
  });
});

describe("verifyNow", () => {
  const none = new Uint8Array(0);
  const returning = (verdict: unknown): PublicKeyAlgorithm => ({ ...sshEd25519, verify: () => verdict as boolean });

  it.each([
    () => Promise.resolve(true),
    () => Promise.reject(new Error("no such curve")),
    () => ({}),
    () => 1,
    () => "yes",
    () => undefined,
  ])("rejects an algorithm that does not return a boolean (%s)", (verdict) => {
    expect(() => verifyNow(returning(verdict()), none, none, none)).toThrow(
      expect.objectContaining({ code: "misuse" }),
    );
  });

  it("returns the boolean of the algorithm", () => {
    for (const verdict of [true, false]) expect(verifyNow(returning(verdict), none, none, none)).toBe(verdict);
  });
});

describe("verify", () => {
  it("escapes the name of another key type in its error", () => {
    const blob = Uint8Array.of(0, 0, 0, 4, 0x1b, 0x5b, 0x32, 0x4a);
    expect(() => sshEd25519.verify(blob, blob, blob)).toThrow('got "\\u{1b}[2J"');
  });
});

describe("webRandom", () => {
  it("returns fresh bytes of the requested size", () => {
    expect(webRandom(0)).toEqual(new Uint8Array(0));
    expect(webRandom(32)).toHaveLength(32);
    expect(webRandom(32)).not.toEqual(webRandom(32));
  });
});
