import { sha256Fingerprint } from "@postern/noble";
import { concat, fromBase64, SshError, toBase64, toHex, utf8, Writer } from "@postern/wire";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { describePublicKey, formatPublicKey, keyType, parseFingerprint, parsePublicKey } from "../src/index.ts";
import { keyVectors, vectorOf } from "./vectors.ts";

const keyError = expect.objectContaining({ name: "SshError", code: "key" });
const ed25519Blob = parsePublicKey(vectorOf("ssh-ed25519").publicLine).blob;

describe("public keys", () => {
  it.each(keyVectors)("parses and formats a %s line of ssh-keygen", (type, { publicLine, bits }) => {
    const { blob, comment, ...parsed } = parsePublicKey(`${publicLine}\r\n`);
    expect(parsed).toEqual({ type });
    expect(publicLine).toBe(`${type} ${toBase64(blob)} ${comment}`.trimEnd());
    expect(keyType(blob)).toBe(type);
    expect(formatPublicKey(blob, comment)).toBe(publicLine);
    expect(describePublicKey(blob)).toBe(type === "ssh-rsa" ? `ssh-rsa of ${bits} bits` : type);
  });

  it("parses a key of an unknown type", () => {
    const blob = new Writer().text("sk-ssh-ed25519@openssh.com").string(new Uint8Array(32)).text("ssh:").finish();
    const line = `sk-ssh-ed25519@openssh.com ${toBase64(blob)} token`;
    expect(parsePublicKey(line)).toEqual({ type: "sk-ssh-ed25519@openssh.com", blob, comment: "token" });
    expect(formatPublicKey(blob, "token")).toBe(line);
  });

  it("keeps the comment verbatim, and accepts a line without one", () => {
    const line = `ssh-ed25519\t${toBase64(ed25519Blob)}  two  words `;
    expect(parsePublicKey(line).comment).toBe("two  words");
    expect(parsePublicKey(`ssh-ed25519 ${toBase64(ed25519Blob)}`).comment).toBe("");
    expect(() => formatPublicKey(ed25519Blob, "a\nb")).toThrow(expect.objectContaining({ code: "misuse" }));
  });

  const p256 = vectorOf("ecdsa-sha2-nistp256").publicLine;
  const p256Blob = parsePublicKey(p256).blob;
  const named = (...parts: readonly (string | Uint8Array)[]) =>
    parts
      .reduce<Writer>(
        (writer, part) => (typeof part === "string" ? writer.text(part) : writer.string(part)),
        new Writer(),
      )
      .finish();
  it.each([
    ["trailing bytes", concat(ed25519Blob, Uint8Array.of(0))],
    ["a missing byte", ed25519Blob.subarray(0, -1)],
    ["no bytes", new Uint8Array(0)],
    ["no type", named("")],
    ["a type with a line end", named("ssh\n")],
    ["an Ed25519 key of 31 bytes", named("ssh-ed25519", new Uint8Array(31))],
    ["another curve", named("ecdsa-sha2-nistp256", "nistp384", new Uint8Array(65).fill(4))],
    ["a compressed point", named("ecdsa-sha2-nistp256", "nistp256", new Uint8Array(33).fill(2))],
    ["trailing bytes after a point", concat(p256Blob, Uint8Array.of(0, 0, 0, 0))],
    ["an RSA modulus of zero", named("ssh-rsa", Uint8Array.of(3), new Uint8Array(0))],
    ["a negative RSA modulus", named("ssh-rsa", Uint8Array.of(3), Uint8Array.of(0x80))],
  ])("rejects %s", (_, blob) => {
    expect(() => describePublicKey(blob)).toThrow(keyError);
    expect(() => formatPublicKey(blob)).toThrow(keyError);
  });

  it.each([
    ["no text", ""],
    ["only a type", "ssh-ed25519"],
    ["two lines", `${p256}\n${p256}`],
    ["broken base64", "ssh-ed25519 AAAA*"],
    ["a private key", vectorOf("ssh-ed25519").privateKey],
    ["a type that differs from the blob", p256.replace("nistp256", "nistp384")],
    ["options before the type", `restrict ${p256}`],
  ])("rejects a line with %s", (_, line) => {
    expect(() => parsePublicKey(line)).toThrow(keyError);
  });

  it("rejects a line longer than 16 KiB", () => {
    const [type, base64] = p256.split(" ");
    const padded = `${type} ${base64} `.padEnd(16_384, "c");
    expect(parsePublicKey(padded).comment).toHaveLength(16_384 - `${type} ${base64} `.length);
    for (const line of [
      `${padded}c`,
      `ssh-ed25519 ${"=".repeat(80_000)}A`,
      `a b${" ".repeat(62_000)}\nc`,
      `a${"\t".repeat(2 ** 22)}`,
      " ".repeat(2 ** 24),
    ]) {
      expect(() => parsePublicKey(line)).toThrow(keyError);
    }
  });

  it("rejects values of other types as misuse and names the type", () => {
    const calls: readonly (() => unknown)[] = [
      () => parsePublicKey(undefined as never),
      () => parsePublicKey(ed25519Blob as never),
      () => parseFingerprint(null as never),
      () => parseFingerprint(["SHA256:"] as never),
      () => keyType("ssh-ed25519" as never),
      () => describePublicKey(null as never),
      () => formatPublicKey(Promise.resolve(ed25519Blob) as never),
      () => formatPublicKey(ed25519Blob, 7 as never),
      () => sha256Fingerprint("AAAA" as never),
    ];
    const got = calls.map((call) => {
      try {
        return call();
      } catch (error) {
        return error instanceof SshError ? `${error.code} ${error.message.split(", got ")[1]}` : error;
      }
    });
    expect(got).toEqual(
      [
        "undefined",
        "an instance of Uint8Array",
        "null",
        "an array",
        "a string",
        "null",
        "a Promise; did you forget await?",
        "a number",
        "a string",
      ].map((type) => `misuse ${type}`),
    );
  });

  it("throws a key error for any invalid bytes and line", () => {
    const throwsKeyError = (run: () => unknown) => {
      try {
        run();
      } catch (error) {
        expect(error).toBeInstanceOf(SshError);
        expect(error).toMatchObject({ code: "key" });
      }
    };
    const blobs = fc.oneof(
      fc.uint8Array({ maxLength: 100 }),
      fc.tuple(fc.constantFrom(ed25519Blob, p256Blob), fc.nat(200), fc.nat(255)).map(([blob, at, value]) => {
        const copy = Uint8Array.from(blob);
        copy[at % blob.length] = value;
        return copy;
      }),
    );
    fc.assert(fc.property(blobs, (blob) => throwsKeyError(() => keyType(blob))));
    fc.assert(fc.property(blobs, (blob) => throwsKeyError(() => describePublicKey(blob))));
    fc.assert(fc.property(blobs, (blob) => throwsKeyError(() => parsePublicKey(`ssh-ed25519 ${toBase64(blob)}`))));
    fc.assert(fc.property(fc.string({ unit: "binary" }), (line) => throwsKeyError(() => parsePublicKey(line))));
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => throwsKeyError(() => parseFingerprint(`SHA256:${text}`))),
    );
  });
});

describe("fingerprints", () => {
  it.each(keyVectors)("equal those of ssh-keygen -lf (%s)", (_, { publicLine, fingerprint }) => {
    const { blob } = parsePublicKey(publicLine);
    expect(sha256Fingerprint(blob)).toBe(fingerprint);
    const digest = parseFingerprint(fingerprint);
    expect(`SHA256:${toBase64(digest).slice(0, 43)}`).toBe(fingerprint);
    expect(parseFingerprint(` ${fingerprint}=\n`)).toEqual(digest);
  });

  const { fingerprint } = vectorOf("ssh-ed25519");
  const hex = toHex(fromBase64(fingerprint.slice(7)));
  it.each([
    ["an MD5 fingerprint", "MD5:16:27:ac:a5:76:28:2d:36:63:1b:56:4d:eb:df:a6:48", "MD5"],
    ["a bare MD5 fingerprint", "16:27:ac:a5:76:28:2d:36:63:1b:56:4d:eb:df:a6:48", "-E sha256"],
    ["no prefix", fingerprint.slice(7), "without SHA256:"],
    ["a short one", fingerprint.slice(0, -2), "got 41"],
    ["a long one", `${fingerprint}AA`, "got 45"],
    ["bits beyond the digest", `SHA256:${"A".repeat(42)}B`, "last character"],
    ["hexadecimal", `SHA256:${hex}`, "got 64"],
    ["other characters", `SHA256:${"-".repeat(43)}`, "other characters"],
    ["an empty text", "", "SHA256:"],
    ["a lower-case prefix", fingerprint.toLowerCase(), "SHA256:"],
  ])("rejects %s", (_, text, words) => {
    expect(() => parseFingerprint(text)).toThrow(keyError);
    expect(() => parseFingerprint(text)).toThrow(words);
  });

  it("covers the whole blob", () => {
    expect(sha256Fingerprint(utf8(""))).toBe("SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU");
  });
});
