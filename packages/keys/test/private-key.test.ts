import { parsePrivateKey } from "@postern/noble";
import { type Bytes, fromBase64, fromHex, SshError, toBase64, toHex, utf8, Writer } from "@postern/wire";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatPublicKey, type PrivateKey } from "../src/index.ts";
import { fileVectors, keyVectors, vectorOf } from "./vectors.ts";

const begin = "-----BEGIN OPENSSH PRIVATE KEY-----";
const end = "-----END OPENSSH PRIVATE KEY-----";

function bytesOf(text: string): Bytes {
  return fromBase64(text.replace(/-----[^-]*-----|\s/g, ""));
}

function textOf(bytes: Bytes): string {
  return `${begin}\n${toBase64(bytes)}\n${end}\n`;
}

function failure(text: string): SshError {
  try {
    parsePrivateKey(text);
  } catch (error) {
    expect(error).toBeInstanceOf(SshError);
    return error as SshError;
  }
  throw new Error("expected an error, got a key");
}

/** Creates a file (PROTOCOL.key) with changed parts. */
function file(
  key: PrivateKey & { type: "ssh-ed25519" },
  change: Partial<{
    magic: string;
    cipher: string;
    kdf: string;
    kdfOptions: Bytes;
    count: number;
    publicKey: Bytes;
    checks: [number, number];
    type: string;
    point: Bytes;
    both: Bytes;
    padding: Bytes;
    after: Bytes;
  }>,
): string {
  const {
    magic = "openssh-key-v1\0",
    cipher = "none",
    kdf = "none",
    kdfOptions = new Uint8Array(0),
    count = 1,
    publicKey = key.publicKey,
    checks = [7, 7],
    type = key.type,
    point = key.point,
    both = Uint8Array.of(...key.seed, ...key.point),
    padding = Uint8Array.of(1, 2, 3),
    after = new Uint8Array(0),
  } = change;
  // 8 + (4 + 11) + (4 + 32) + (4 + 64) + (4 + 2) = 133 bytes, so 3 bytes of padding.
  const secret = new Writer()
    .uint32(checks[0])
    .uint32(checks[1])
    .text(type)
    .string(point)
    .string(both)
    .text("me")
    .raw(padding);
  const file = new Writer().raw(utf8(magic)).text(cipher).text(kdf).string(kdfOptions).uint32(count);
  return textOf(file.string(publicKey).string(secret.finish()).raw(after).finish());
}

describe("parsePrivateKey", () => {
  it.each(keyVectors)("parses a %s key of ssh-keygen ($comment)", (type, vector) => {
    const key = parsePrivateKey(vector.privateKey);
    expect(key.type).toBe(type);
    expect(formatPublicKey(key.publicKey, key.comment)).toBe(vector.publicLine);
  });

  it("returns the components as bytes", () => {
    const ed25519 = parsePrivateKey(vectorOf("ssh-ed25519").privateKey);
    expect(ed25519).toMatchObject({ seed: { length: 32 }, point: { length: 32 } });
    const p521 = parsePrivateKey(vectorOf("ecdsa-sha2-nistp521").privateKey);
    expect(p521).toMatchObject({ scalar: { length: 66 }, point: { length: 133 }, curve: { name: "nistp521" } });
    const rsa = parsePrivateKey(vectorOf("ssh-rsa").privateKey);
    expect(rsa).toMatchObject({ modulus: { length: 256 }, prime1: { length: 128 }, exponent: fromHex("010001") });
  });

  const { privateKey } = vectorOf("ssh-ed25519");
  it.each([
    ["CR LF", privateKey.replaceAll("\n", "\r\n")],
    ["no final newline", privateKey.trimEnd()],
    ["surrounding white space", `\n  ${privateKey}\n\n`],
    ["spaces for newlines", privateKey.trim().replaceAll(/\n/g, " ")],
  ])("tolerates %s", (_, text) => {
    expect(parsePrivateKey(text)).toEqual(parsePrivateKey(privateKey));
  });

  it.each(fileVectors)("rejects a file for readPrivateKey as passphrase or unsupported: $comment", ({ text }) => {
    const isOpenSsh = text.startsWith("-----BEGIN OPENSSH");
    const error = failure(text);
    expect(error.code).toBe(isOpenSsh ? "passphrase" : text.startsWith("{") ? "key" : "unsupported");
    if (!text.startsWith("{")) expect(error.message).toContain("readPrivateKey");
  });

  it.each([
    [
      "a PuTTY key",
      "PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\n",
      ["PuTTY key", "readPrivateKey"],
      "unsupported",
    ],
    ["a public key line", vectorOf("ssh-ed25519").publicLine, ["got a public key"]],
    ["a public key in PEM", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", ["got a public key"]],
    ["a certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", ["got a CERTIFICATE"]],
    ["an empty text", " \n", ["empty"]],
    ["a path", "/home/me/.ssh/id_ed25519", ["path of a file"]],
    ["a truncated file", privateKey.slice(0, 200), ["truncated"]],
    ["text after the end", `${privateKey}more`, ["damaged"]],
    ["other characters inside", privateKey.replace("b3Bl", "b3*l"), ["OpenSSH format"]],
    ["too much text", begin + " ".repeat(100_000) + end, ["at most 65536", "100068"], "limit"],
  ])("rejects and names other text: %s", (_, text, words, code = "key") => {
    const error = failure(text);
    expect(error.code).toBe(code);
    for (const word of words) expect(error.message).toContain(word);
  });

  it("rejects a value that is not a string as misuse", () => {
    expect(failure(utf8(privateKey) as unknown as string).code).toBe("misuse");
  });

  const key = parsePrivateKey(privateKey);
  if (key.type !== "ssh-ed25519") throw new Error("expected an Ed25519 vector");
  const second = parsePrivateKey(keyVectors[1]![1].privateKey) as typeof key;

  it("parses the unchanged file of the next test", () => {
    expect(parsePrivateKey(file(key, {}))).toEqual({ ...key, comment: "me" });
  });

  it.each([
    ["another magic", { magic: "openssh-key-v2\0" }],
    ["a cipher without a KDF", { cipher: "aes256-ctr" }],
    ["a KDF without a cipher", { kdf: "bcrypt" }],
    ["options without a KDF", { kdfOptions: Uint8Array.of(1) }],
    ["no key", { count: 0 }],
    ["two keys", { count: 2 }],
    ["different check numbers", { checks: [7, 8] as [number, number] }],
    ["an unknown type", { type: "ssh-ed25518" }],
    ["the public key of another pair in the public part", { publicKey: second.publicKey }],
    ["the public key of another pair in both parts", { point: second.point, publicKey: second.publicKey }],
    ["a seed of another pair", { both: Uint8Array.of(...second.seed, ...key.point) }],
    ["a whole pair of another key", { both: Uint8Array.of(...second.seed, ...second.point) }],
    ["short halves", { both: key.seed }],
    ["no padding", { padding: new Uint8Array(0) }],
    ["padding of zeros", { padding: Uint8Array.of(0, 0, 0) }],
    ["padding that starts at 2", { padding: Uint8Array.of(2, 3, 4) }],
    ["too much padding", { padding: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11) }],
    ["bytes after the end", { after: Uint8Array.of(0) }],
  ])("rejects %s", (_, change) => {
    expect(failure(file(key, change)).code).toBe("key");
  });

  it.each([
    ["aes256-ctr", "bcrypt", "(aes256-ctr with bcrypt)"],
    ["aes256 ctr", "bcrypt", "a passphrase; read it"],
    ["aes256-ctr", "", "a passphrase; read it"],
  ])("names the encryption if it is a name: %j with %j", (cipher, kdf, words) => {
    const error = failure(file(key, { cipher, kdf }));
    expect(error.code).toBe("passphrase");
    expect(error.message).toContain(words);
  });

  it.each(["ecdsa-sha2-nistp256", "ecdsa-sha2-nistp521", "ssh-rsa"])("rejects halves of different %s pairs", (type) => {
    const [a, b] = keyVectors.filter(([name]) => name === type).map(([, vector]) => bytesOf(vector.privateKey));
    if (!a || !b) throw new Error("expected two vectors");
    const public_ = (bytes: Bytes) => {
      const view = new DataView(bytes.buffer);
      return { from: 43, to: 43 + view.getUint32(39) };
    };
    // Only the public part of the other file. ECDSA keys of one curve have the same length.
    if (type !== "ssh-rsa") {
      const mixed = Uint8Array.from(a);
      mixed.set(b.subarray(public_(b).from, public_(b).to), public_(a).from);
      expect(failure(textOf(mixed)).message).toContain("expected the public key that belongs");
    }
    // A changed byte near the end of the public key in both parts.
    const hex = toHex(a);
    const inner = hex.lastIndexOf(hex.slice(2 * (public_(a).to - 24), 2 * public_(a).to));
    expect(inner).toBeGreaterThan(2 * public_(a).to);
    const changed = Uint8Array.from(a);
    for (const at of [inner / 2 + 10, public_(a).to - 14]) changed[at] = changed[at]! ^ 2;
    expect(failure(textOf(changed)).message).toContain("expected the two halves of one key pair");
  });

  const rsaParts = (change: Partial<Record<"e" | "d" | "p" | "q" | "iqmp", Bytes>>) => {
    const rsa = parsePrivateKey(vectorOf("ssh-rsa").privateKey);
    if (rsa.type !== "ssh-rsa") throw new Error("expected an RSA vector");
    const { e, d, p, q, iqmp } = {
      e: rsa.exponent,
      d: rsa.privateExponent,
      p: rsa.prime1,
      q: rsa.prime2,
      iqmp: rsa.coefficient,
      ...change,
    };
    const blob = new Writer().text("ssh-rsa").mpint(e).mpint(rsa.modulus).finish();
    const secret = new Writer()
      .uint32(1)
      .uint32(1)
      .text("ssh-rsa")
      .mpint(rsa.modulus)
      .mpint(e)
      .mpint(d)
      .mpint(iqmp)
      .mpint(p)
      .mpint(q)
      .text("");
    const size = new Writer().raw(secret.finish()).finish().length;
    for (let i = 1; (size + i - 1) % 8 !== 0; i++) secret.byte(i);
    const file = new Writer().raw(utf8("openssh-key-v1\0")).text("none").text("none").text("").uint32(1);
    return { rsa, text: textOf(file.string(blob).string(secret.finish()).finish()) };
  };

  const sum = (a: Bytes, b: Bytes, c: bigint): Bytes => {
    const hex = (BigInt(`0x${toHex(a)}`) + BigInt(`0x${toHex(b)}`) + c).toString(16);
    return fromHex(hex.length % 2 === 0 ? hex : `0${hex}`);
  };

  it("rejects RSA numbers that do not belong together", () => {
    const { rsa, text } = rsaParts({});
    expect(parsePrivateKey(text)).toMatchObject({ type: "ssh-rsa", comment: "" });
    const one = Uint8Array.of(1);
    const none = new Uint8Array(0);
    const three = Uint8Array.of(3);
    for (const change of [
      { d: three },
      { d: none },
      // Correct modulo one prime, wrong modulo the other.
      { d: sum(rsa.privateExponent, rsa.prime1, -1n) },
      { d: sum(rsa.privateExponent, rsa.prime2, -1n) },
      { iqmp: one },
      { p: none },
      { p: one, q: rsa.modulus },
      { p: rsa.modulus, q: one },
      { p: rsa.prime2, q: rsa.prime1 },
      { e: three },
      { e: one },
      { e: Uint8Array.of(2) },
      { e: none },
      { e: new Uint8Array(9).fill(0xff) },
    ]) {
      expect(failure(rsaParts(change).text).code).toBe("key");
    }
  });

  // Flips in a check number, the comment or unused bits of base64 may pass.
  it.each(keyVectors.filter(([, { tcId }]) => tcId === 1))(
    "never returns another %s key if a bit is flipped",
    (type, vector) => {
      const good = parsePrivateKey(vector.privateKey);
      const bytes = bytesOf(vector.privateKey);
      fc.assert(
        fc.property(fc.nat(8 * bytes.length - 1), (bit) => {
          const flipped = Uint8Array.from(bytes);
          flipped[bit >> 3] = flipped[bit >> 3]! ^ (1 << (bit & 7));
          let key: PrivateKey;
          try {
            key = parsePrivateKey(textOf(flipped));
          } catch (error) {
            // A damaged name can be that of another type.
            expect(["key", "unsupported"]).toContain((error as SshError).code);
            return;
          }
          expect({ ...key, comment: "" }).toEqual({ ...good, comment: "" });
        }),
        { numRuns: type === "ssh-ed25519" ? 400 : 60 },
      );
    },
  );

  it("throws a key error for every truncation", () => {
    const bytes = bytesOf(privateKey);
    for (let size = 0; size < bytes.length; size++) expect(failure(textOf(bytes.subarray(0, size))).code).toBe("key");
    for (let size = 0; size < privateKey.length - 1; size++)
      expect(failure(privateKey.slice(0, size)).code).toBe("key");
  });

  it("throws a key error for any bytes and any text", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => failure(textOf(bytes)).code === "key"));
    fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => failure(text).code === "key"));
  });

  // A damaged length can make any field contain secret bytes. If a message contained one, the messages of two keys
  // would differ.
  it.each([
    ["ssh-ed25519", [1, 8, 64, 128, 255]],
    ["ecdsa-sha2-nistp256", [1, 128]],
    ["ecdsa-sha2-nistp384", [128]],
    ["ecdsa-sha2-nistp521", [128]],
    ["ssh-rsa", [1, 128]],
  ])("throws errors for damaged %s files that do not depend on the key", (type, masks) => {
    const messagesOf = (bytes: Bytes): ReadonlySet<string> => {
      const messages = new Set<string>();
      const note = (damaged: Bytes): void => {
        try {
          parsePrivateKey(textOf(damaged));
        } catch (error) {
          const { message, cause } = error as Error;
          // This message is constant, but not every comment requires padding.
          if (!message.startsWith("expected padding 1, 2, 3")) messages.add(`${message} ${String(cause)}`);
        }
      };
      for (let at = 0; at < bytes.length; at++) {
        for (const mask of masks) {
          const damaged = Uint8Array.from(bytes);
          damaged[at] = damaged[at]! ^ mask;
          note(damaged);
        }
      }
      // Lengths of the first fields that extend into the secret part.
      for (const at of [15, 23, 31, 39, 43]) {
        for (let size = 0; size < 256; size++) {
          const damaged = Uint8Array.from(bytes);
          damaged.set([0, 0, 0, size], at);
          note(damaged);
        }
      }
      return messages;
    };
    const [first, other] = keyVectors.filter(([name]) => name === type).map(([, vector]) => bytesOf(vector.privateKey));
    expect(messagesOf(first!)).toEqual(messagesOf(other!));
  });

  it("throws errors that contain no part of the key", () => {
    const bytes = bytesOf(privateKey);
    fc.assert(
      fc.property(fc.nat(8 * bytes.length - 1), fc.nat(bytes.length), (bit, cut) => {
        const damaged = bytes.slice(0, bit % 2 === 0 ? cut : bytes.length);
        const at = (bit >> 3) % Math.max(1, damaged.length);
        damaged[at] = (damaged[at] ?? 0) ^ (1 << (bit & 7));
        const text = textOf(damaged);
        let shown = "";
        try {
          parsePrivateKey(text);
        } catch (error) {
          shown = String((error as Error).stack) + String((error as Error).cause);
        }
        const seed = toHex(key.seed);
        expect(shown).not.toContain(seed.slice(0, 16));
        expect(shown).not.toContain(toBase64(damaged).slice(140, 156) || "nothing to show");
      }),
      { numRuns: 300 },
    );
  });
});
