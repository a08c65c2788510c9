import type { PublicKeyAlgorithm } from "@postern/crypto";
import {
  ecdsaNistp256,
  ecdsaNistp384,
  ecdsaNistp521,
  parsePrivateKey,
  rsaSha2_256,
  rsaSha2_512,
  signer,
  sshEd25519,
} from "@postern/noble";
import { loadKeyVectors } from "@postern/testkit/vectors";
import { type Bytes, fromHex, Reader, toHex, utf8 } from "@postern/wire";
import { describe, expect, it } from "vitest";
import { createSigner } from "../src/signer.ts";

const verifiers: readonly PublicKeyAlgorithm[] = [
  sshEd25519,
  ecdsaNistp256,
  ecdsaNistp384,
  ecdsaNistp521,
  rsaSha2_256,
  rsaSha2_512,
];

const vectors = loadKeyVectors();

describe("createSigner", () => {
  it.each(vectors)("%s: signs synchronously, and @postern/noble accepts the signature ($comment)", (_, vector) => {
    const key = parsePrivateKey(vector.privateKey);
    const by = createSigner(key);
    const data = fromHex(vector.data);
    expect(by.publicKey).toEqual(key.publicKey);
    expect(by.algorithms).toEqual(signer(key).algorithms);
    for (const algorithm of by.algorithms) {
      const verifier = verifiers.find(({ name }) => name === algorithm);
      const blob = by.sign(data, algorithm) as Bytes;
      expect(blob).toBeInstanceOf(Uint8Array);
      expect(verifier?.verify(key.publicKey, data, blob)).toBe(true);
      expect(verifier?.verify(key.publicKey, utf8("other"), blob)).toBe(false);
    }
  });

  // Both are deterministic: RFC 8032 section 5.1.6, RFC 8017 section 8.2.1.
  it.each(vectors.filter(([type]) => !type.startsWith("ecdsa")))(
    "%s: equals OpenSSH byte for byte",
    async (_, vector) => {
      const key = parsePrivateKey(vector.privateKey);
      const by = createSigner(key);
      const data = fromHex(vector.data);
      const algorithm = new Reader(fromHex(vector.signature), "signature").text();
      expect(toHex(by.sign(data, algorithm) as Bytes)).toBe(vector.signature);
      for (const name of by.algorithms) expect(by.sign(data, name)).toEqual(await signer(key).sign(data, name));
    },
  );

  it("writes ECDSA numbers as mpints of any length (RFC 5656 3.1.2)", () => {
    const [, vector] = vectors.find(([type]) => type === "ecdsa-sha2-nistp256")!;
    const key = parsePrivateKey(vector.privateKey);
    const by = createSigner(key);
    const sizes = new Set<number>();
    // In about half of the signatures r has its highest bit set and takes 33 bytes.
    for (let i = 0; i < 60; i++) {
      const blob = by.sign(Uint8Array.of(i), "ecdsa-sha2-nistp256") as Bytes;
      const reader = new Reader(blob, "signature");
      reader.text();
      sizes.add(new Reader(reader.string(), "pair").string().length);
      expect(ecdsaNistp256.verify(key.publicKey, Uint8Array.of(i), blob)).toBe(true);
    }
    expect(sizes).toContain(32);
    expect(sizes).toContain(33);
  });

  it("rejects algorithms of other keys, and SHA-1", () => {
    const [, vector] = vectors.find(([type]) => type === "ssh-rsa")!;
    const by = createSigner(parsePrivateKey(vector.privateKey));
    for (const algorithm of ["ssh-rsa", "ssh-ed25519", ""]) {
      expect(() => by.sign(utf8("x"), algorithm)).toThrow(expect.objectContaining({ code: "misuse" }));
    }
  });

  it("rejects data other than bytes, and values other than keys", () => {
    const [, vector] = vectors.find(([type]) => type === "ssh-ed25519")!;
    const by = createSigner(parsePrivateKey(vector.privateKey));
    const misuse = expect.objectContaining({ code: "misuse" });
    for (const data of ["1234", null, [1, 2]]) expect(() => by.sign(data as never, "ssh-ed25519")).toThrow(misuse);
    expect(() => createSigner(null as never)).toThrow(misuse);
  });

  it("throws a key error if node:crypto rejects the key", () => {
    const [, vector] = vectors.find(([type]) => type === "ecdsa-sha2-nistp256")!;
    const key = parsePrivateKey(vector.privateKey);
    if (!("curve" in key)) throw new Error("expected an ECDSA vector");
    const broken = { ...key, point: new Uint8Array(key.point.length) };
    expect(() => createSigner(broken)).toThrow(expect.objectContaining({ code: "key" }));
  });
});
