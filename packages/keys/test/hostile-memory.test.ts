/** The heap that files and messages of the largest size occupy once they are read. */
import { loadKeyFileCrypto, parsePrivateKey, publicHalf, sha256 } from "@postern/noble";
import { bytesInUse, collectGarbage, vectorBytes, vectorTexts } from "@postern/testkit";
import { type Bytes, fromBase64, SshError, Writer } from "@postern/wire";
import { describe, expect, it } from "vitest";
import {
  AgentFrameReader,
  AgentIdentitiesAnswer,
  KnownHostsLimits,
  loadKeyFiles,
  parseCertificate,
  parseKnownHosts,
  parsePublicKey,
  parseRevokedKeys,
} from "../src/index.ts";

const MiB = 1024 * 1024;

/** Returns the growth of the heap while the result is kept. */
function kept(make: () => unknown): number {
  const before = collectGarbage();
  const result = make();
  const grown = collectGarbage() - before;
  // Keeps it alive until here.
  expect(typeof result).toBe("object");
  return grown;
}

describe("the heap", () => {
  const [line = ""] = vectorTexts("keys/ssh-ed25519.json", ["publicLine"]);

  it("grows by a small multiple of known_hosts of 16 MiB, whatever its lines are", () => {
    const { characters } = KnownHostsLimits;
    for (const one of [`a ${line}\n`, "a\n", "#\n", "x".repeat(500_000)]) {
      const text = one.repeat(Math.floor(characters / one.length));
      expect(
        kept(() => parseKnownHosts(text)),
        JSON.stringify(one.slice(0, 20)),
      ).toBeLessThan(20 * characters);
    }
    expect(() => parseKnownHosts("#".repeat(characters + 1))).toThrow(SshError);
  }, 120_000);

  it("grows by a small multiple of a list of revoked keys", () => {
    const text = `${line}\n`.repeat(10_000);
    expect(kept(() => parseRevokedKeys(text, sha256))).toBeLessThan(8 * text.length + MiB);
    for (const krl of vectorBytes("certificates/krl.json", ["krl"])) {
      let grown = 0;
      try {
        grown = kept(() => parseRevokedKeys(krl, sha256));
      } catch (error) {
        expect(error).toBeInstanceOf(SshError);
      }
      expect(grown).toBeLessThan(MiB);
    }
  });

  it("grows by a small multiple of a certificate", () => {
    for (const text of vectorTexts("certificates/ssh-ed25519.json", ["certificate"])) {
      const blob = fromBase64(text.split(" ")[1] ?? "");
      let parsed: unknown;
      const grown = kept(() => (parsed = Array.from({ length: 1000 }, () => parseCertificate(blob))));
      expect(parsed).toHaveLength(1000);
      expect(grown).toBeLessThan(1000 * (20 * blob.length + 8192));
    }
  });

  it("grows by at most one message of an agent, whatever length it announces", () => {
    const reader = new AgentFrameReader();
    expect(kept(() => [reader, reader.receive(Uint8Array.of(0, 4, 0, 0))])).toBeLessThan(MiB);
    expect(() => new AgentFrameReader().receive(Uint8Array.of(0, 4, 0, 1))).toThrow(SshError);
    const many = new Writer().byte(AgentIdentitiesAnswer.number).uint32(0xffff_ffff).finish();
    expect(() => AgentIdentitiesAnswer.decode(many)).toThrow(SshError);
    const most = new Writer().byte(AgentIdentitiesAnswer.number).uint32(2048);
    for (let at = 0; at < 2048; at++) most.string(new Uint8Array(0)).string(new Uint8Array(0));
    const answer = most.finish();
    expect(kept(() => AgentIdentitiesAnswer.decode(answer))).toBeLessThan(MiB);
  });

  it("keeps no part of a file or a certificate with the error that refuses it", async () => {
    const { readKeyFile } = await loadKeyFiles();
    const crypto = await loadKeyFileCrypto();
    const blob = fromBase64(line.split(" ")[1] ?? "");
    const certificate = fromBase64(
      vectorTexts("certificates/ssh-ed25519.json", ["certificate"])[0]?.split(" ")[1] ?? "",
    );
    // Each call returns a new string, so that no constant of the source is counted.
    const fill = (one: string) => one.repeat(60_000 / one.length);
    const files: readonly (() => unknown)[] = [
      () => readKeyFile(`-----BEGIN PRIVATE KEY-----\n${fill("=")}\n`, undefined, publicHalf, crypto),
      () => readKeyFile(`-----BEGIN EC PRIVATE KEY-----\n${fill("A: b\n")}`, undefined, publicHalf, crypto),
      () => readKeyFile("-----BEGIN PRIVATE KEY-----\n".repeat(2000), undefined, publicHalf, crypto),
      () => readKeyFile(`PuTTY-User-Key-File-3: ${fill("x")}`, undefined, publicHalf, crypto),
      () =>
        readKeyFile(`PuTTY-User-Key-File-2: ssh-rsa\nEncryption: none\n${fill("a\n")}`, undefined, publicHalf, crypto),
      () => readKeyFile(`{"kty":"${fill("x")}"}`, undefined, publicHalf, crypto),
      () => readKeyFile(new Uint8Array(60_000).fill(0x30), undefined, publicHalf, crypto),
      () => parsePrivateKey(`-----BEGIN OPENSSH PRIVATE KEY-----\n${fill("A")}\n-----END OPENSSH PRIVATE KEY-----\n`),
      () => parsePrivateKey(`-----BEGIN ${fill("A ")}-----`),
      () => parsePrivateKey(fill("ssh-rsa ")),
      () => parsePublicKey(`${fill("x")} ${line}`),
      () => parseCertificate(Uint8Array.of(...certificate, ...new Uint8Array(40_000))),
      () => parseCertificate(blobOf(blob, 60_000)),
    ];
    const rounds = 20;
    let before = await bytesInUse();
    const all: unknown[][] = [];
    for (const [index, read] of files.entries()) {
      const errors: unknown[] = [];
      for (let round = 0; round < rounds; round++) {
        try {
          await read();
        } catch (error) {
          // Until the stack is read, V8 keeps the frames, and with them the file.
          for (let one: unknown = error; one instanceof Error; one = one.cause) void one.stack;
          errors.push(error);
        }
      }
      all.push(errors);
      const after = await bytesInUse();
      expect([index, errors.length]).toEqual([index, rounds]);
      // A file has 40 to 60 KB.
      expect(after - before, `file ${index}`).toBeLessThan(rounds * 20_000);
      before = after;
    }
    expect(all).toHaveLength(files.length);
  }, 60_000);
});

/** A key that announces a long name. */
function blobOf(key: Bytes, size: number): Bytes {
  return new Writer(size)
    .text(`${"a".repeat(size)}@example.com`)
    .raw(key)
    .finish();
}
