import { execFileSync } from "node:child_process";
import { createHash, createPublicKey, verify } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { PublicKeyAlgorithm, Signer } from "@postern/crypto";
import {
  ecdsaNistp256,
  ecdsaNistp384,
  ecdsaNistp521,
  parsePrivateKey,
  readPrivateKey,
  rsaSha2_256,
  rsaSha2_512,
  signer,
  sshEd25519,
} from "@postern/noble";
import { type Bytes, fromHex, Reader, toHex, utf8, Writer } from "@postern/wire";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { encodePublicKey, privateKeyJwk } from "../src/index.ts";
import { keyVectors, vectorOf } from "./vectors.ts";

const algorithms: Readonly<Record<string, { ours: PublicKeyAlgorithm; hash: string | null }>> = {
  "ssh-ed25519": { ours: sshEd25519, hash: null },
  "ecdsa-sha2-nistp256": { ours: ecdsaNistp256, hash: "sha256" },
  "ecdsa-sha2-nistp384": { ours: ecdsaNistp384, hash: "sha384" },
  "ecdsa-sha2-nistp521": { ours: ecdsaNistp521, hash: "sha512" },
  "rsa-sha2-512": { ours: rsaSha2_512, hash: "sha512" },
  "rsa-sha2-256": { ours: rsaSha2_256, hash: "sha256" },
};

function parts(blob: Bytes): { algorithm: string; raw: Bytes } {
  const reader = new Reader(blob, "signature");
  const signature = { algorithm: reader.text(), raw: reader.string() };
  reader.end();
  return signature;
}

/** Verifies with OpenSSL, independently of our encodings: an ECDSA signature is passed as r || s. */
function opensslAccepts(privateText: string, data: Bytes, blob: Bytes): boolean {
  const key = parsePrivateKey(privateText);
  const { d: _, ...jwk } = privateKeyJwk(key);
  const publicKey = createPublicKey({ key: jwk, format: "jwk" });
  const { algorithm, raw } = parts(blob);
  let signature = raw;
  if (key.type.startsWith("ecdsa") && "curve" in key) {
    const reader = new Reader(raw, "pair");
    signature = new Uint8Array(2 * key.curve.size);
    for (const end of [key.curve.size, 2 * key.curve.size]) {
      const value = reader.mpint();
      signature.set(value, end - value.length);
    }
    reader.end();
  }
  return verify(algorithms[algorithm]!.hash, data, { key: publicKey, dsaEncoding: "ieee-p1363" }, signature);
}

const hasKeygen = (() => {
  try {
    execFileSync("sh", ["-c", "command -v ssh-keygen"], { stdio: "ignore" });
    return true;
  } catch {
    process.stderr.write("skipped: ssh-keygen is not installed: apt-get install openssh-client\n");
    return false;
  }
})();

/** Creates a signature file for `ssh-keygen -Y check-novalidate` (OpenSSH PROTOCOL.sshsig). */
async function sshsig(by: Signer, algorithm: string, message: string): Promise<string> {
  const digest = createHash("sha512").update(message).digest();
  const fields = (writer: Writer) => writer.text("postern").text("").text("sha512");
  const signature = await by.sign(
    fields(new Writer().raw(utf8("SSHSIG")))
      .string(digest)
      .finish(),
    algorithm,
  );
  const blob = fields(new Writer().raw(utf8("SSHSIG")).uint32(1).string(by.publicKey))
    .string(signature)
    .finish();
  const lines = Buffer.from(blob).toString("base64").replace(/.{70}/g, "$&\n");
  return `-----BEGIN SSH SIGNATURE-----\n${lines}\n-----END SSH SIGNATURE-----\n`;
}

function opensshAccepts(armour: string, message: string): boolean {
  const folder = mkdtempSync(join(tmpdir(), "postern-"));
  try {
    writeFileSync(join(folder, "sig"), armour);
    const args = ["-Y", "check-novalidate", "-n", "postern", "-s", join(folder, "sig")];
    execFileSync("ssh-keygen", args, { input: message, stdio: ["pipe", "ignore", "ignore"] });
    return true;
  } catch {
    return false;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe("signer", () => {
  it.each(keyVectors)("creates %s signatures that OpenSSL and our verifier accept ($comment)", async (_, vector) => {
    const by = await readPrivateKey(vector.privateKey);
    const data = fromHex(vector.data);
    for (const algorithm of by.algorithms) {
      const blob = await by.sign(data, algorithm);
      expect(parts(blob).algorithm).toBe(algorithm);
      expect(opensslAccepts(vector.privateKey, data, blob)).toBe(true);
      expect(algorithms[algorithm]!.ours.verify(by.publicKey, data, blob)).toBe(true);
      const other = Uint8Array.of(...data, 0);
      expect(opensslAccepts(vector.privateKey, other, blob)).toBe(false);
      expect(algorithms[algorithm]!.ours.verify(by.publicKey, other, blob)).toBe(false);
    }
  });

  // Both are deterministic (RFC 8032 section 5.1.6, RFC 8017 section 8.2.1).
  it.each(keyVectors.filter(([type]) => !type.startsWith("ecdsa")))(
    "creates the same %s signature as OpenSSH",
    async (_, vector) => {
      const by = signer(parsePrivateKey(vector.privateKey));
      const { algorithm } = parts(fromHex(vector.signature));
      expect(toHex(await by.sign(fromHex(vector.data), algorithm))).toBe(vector.signature);
    },
  );

  it.each(keyVectors)("verifies the %s signature of the vector with OpenSSL", (_, vector) => {
    expect(opensslAccepts(vector.privateKey, fromHex(vector.data), fromHex(vector.signature))).toBe(true);
  });

  it.skipIf(!hasKeygen).each(keyVectors)(
    "creates %s signatures that ssh-keygen accepts ($comment)",
    async (_, vector) => {
      const by = signer(parsePrivateKey(vector.privateKey));
      for (const algorithm of by.algorithms) {
        const armour = await sshsig(by, algorithm, "hello");
        expect(opensshAccepts(armour, "hello")).toBe(true);
        expect(opensshAccepts(armour, "hullo")).toBe(false);
      }
    },
  );

  it.each(["ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521"])(
    "signs any data synchronously and deterministically with %s",
    (type) => {
      const text = vectorOf(type).privateKey;
      const by = signer(parsePrivateKey(text));
      expect(by.algorithms).toEqual([type]);
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 300 }), (data) => {
          const blob = by.sign(data, type);
          expect(blob).toBeInstanceOf(Uint8Array);
          expect(by.sign(data, type)).toEqual(blob);
          expect(opensslAccepts(text, data, blob as Bytes)).toBe(true);
        }),
        { numRuns: 20 },
      );
    },
  );

  it("offers no SHA-1 for RSA, and rejects algorithms of other key types", async () => {
    const rsa = signer(parsePrivateKey(vectorOf("ssh-rsa").privateKey));
    expect(rsa.algorithms).toEqual(["rsa-sha2-512", "rsa-sha2-256"]);
    const misuse = expect.objectContaining({ code: "misuse" });
    await expect(rsa.sign(utf8("x"), "ssh-rsa")).rejects.toEqual(misuse);
    for (const type of ["ssh-ed25519", "ecdsa-sha2-nistp384"]) {
      const by = signer(parsePrivateKey(vectorOf(type).privateKey));
      expect(() => by.sign(utf8("x"), "ecdsa-sha2-nistp256")).toThrow(misuse);
      expect(() => by.sign("1234" as never, type)).toThrow(misuse);
    }
    await expect(rsa.sign("1234" as never, "rsa-sha2-256")).rejects.toEqual(misuse);
    expect(() => signer(null as never)).toThrow(misuse);
  });

  it("signs the data at the time of the call with RSA", async () => {
    const { privateKey } = vectorOf("ssh-rsa");
    const data = utf8("before");
    const promise = signer(parsePrivateKey(privateKey)).sign(data, "rsa-sha2-512");
    data.fill(0);
    expect(opensslAccepts(privateKey, utf8("before"), await promise)).toBe(true);
  });
});

describe("encodePublicKey", () => {
  it.each(["ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp521"] as const)("encodes the blob of %s", (type) => {
    const key = parsePrivateKey(vectorOf(type).privateKey);
    if (key.type === "ssh-rsa") return expect.unreachable();
    expect(toHex(encodePublicKey(type, key.point))).toBe(toHex(key.publicKey));
  });
});

describe("readPrivateKey", () => {
  it("rejects with the errors of parsePrivateKey, and for unknown options", async () => {
    await expect(readPrivateKey("nothing of the kind")).rejects.toMatchObject({ name: "SshError", code: "key" });
    const options = { passphras: "x" } as never;
    const promise = readPrivateKey(vectorOf("ssh-ed25519").privateKey, options);
    await expect(promise).rejects.toMatchObject({ code: "misuse", message: expect.stringContaining('"passphras"') });
    await expect(readPrivateKey(vectorOf("ssh-ed25519").privateKey, null as never)).rejects.toMatchObject({
      code: "misuse",
    });
  });
});
