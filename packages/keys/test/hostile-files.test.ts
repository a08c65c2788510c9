/** Damaged and hostile key files: a typed error each, and no key derivation beyond the limits. */
import { loadKeyFileCrypto, parsePrivateKey, publicHalf } from "@postern/noble";
import { contentOf, type KeyFileVector, loadTests } from "@postern/testkit/vectors";
import { type Bytes, concat, fromBase64, fromHex, fromUtf8, SshError, toBase64, toHex, utf8 } from "@postern/wire";
import { describe, expect, it } from "vitest";
import {
  formatPublicKey,
  type KeyFileCrypto,
  loadKeyFiles,
  needsKeyFileReader,
  type PrivateKey,
} from "../src/index.ts";
import { aes256Cbc, encryptedBy, integer, octets, oid, pem, pkcs12, sequence, shortest } from "./der-writer.ts";

const portable = await loadKeyFileCrypto();
const { readKeyFile } = await loadKeyFiles();
const secret = "correct horse battery staple";
/** Up to two thousand files are decrypted. */
const timeout = 600_000;

/** Counts the key derivations, and remembers their results, because most damage leaves their input as it is. */
const derivations: string[] = [];
const known = new Map<string, Promise<Bytes>>();

function remember(name: string, input: readonly unknown[], derive: () => Promise<Bytes>): Promise<Bytes> {
  derivations.push(name);
  const key = `${name} ${input.map((one) => (one instanceof Uint8Array ? toHex(one) : JSON.stringify(one))).join(" ")}`;
  const result = known.get(key) ?? derive();
  known.set(key, result);
  return result.then((bytes) => bytes.slice());
}

const crypto: KeyFileCrypto = {
  ...portable,
  pbkdf2: (...input) => remember("pbkdf2", input, () => portable.pbkdf2(...input)),
  scrypt: (...input) => remember("scrypt", input, () => portable.scrypt(...input)),
  argon2: (...input) => remember("argon2", input, () => portable.argon2(...input)),
};

async function read(file: string | Bytes, passphrase: string | undefined = secret): Promise<PrivateKey> {
  if (needsKeyFileReader(file)) return readKeyFile(file, passphrase, publicHalf, crypto);
  return parsePrivateKey(typeof file === "string" ? file : fromUtf8(file));
}

async function failure(file: string | Bytes, passphrase?: string): Promise<SshError> {
  const error: unknown = await read(file, passphrase).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof SshError) return error;
  throw new Error(`expected an SshError, got ${String(error)}`);
}

const codes = ["key", "passphrase", "unsupported", "limit"];

function vector(family: string, comment: RegExp): KeyFileVector {
  const found = loadTests<KeyFileVector>("keys", family).find((one) => comment.test(one.comment));
  if (found === undefined) throw new Error(`expected a vector ${comment} in ${family}`);
  return found;
}

/** The part of a file that is flipped, and how it becomes a file again. */
interface Sample {
  readonly title: string;
  readonly vector: KeyFileVector;
  readonly bytes: Bytes;
  /** whether a MAC covers each byte, so that no flip may go unnoticed */
  readonly hasMac: boolean;
  /** whether the file has the public key, so that no other key can result; default true */
  readonly hasPublicKey?: boolean;
  /** flips each n-th byte; default 1 */
  readonly step?: number;
  wrap(bytes: Bytes): string | Bytes;
}

function armoured(title: string, one: KeyFileVector, hasMac = false): Sample {
  const [, begin = "", body = "", end = ""] =
    /^(-----BEGIN [A-Z ]+-----\n)([\s\S]*)(-----END [\s\S]*)$/.exec(one.text ?? "") ?? [];
  const at = body.indexOf("\n\n") + 2;
  const [headers, base64] = body.includes(":") ? [body.slice(0, at), body.slice(at)] : ["", body];
  const bytes = fromBase64(base64.replaceAll("\n", ""));
  return { title, vector: one, bytes, hasMac, wrap: (changed) => `${begin}${headers}${toBase64(changed)}\n${end}` };
}

function raw(title: string, one: KeyFileVector, hasMac = false): Sample {
  const content = contentOf(one);
  const bytes = typeof content === "string" ? utf8(content) : content;
  return { title, vector: one, bytes, hasMac, wrap: (changed) => changed };
}

const samples: readonly Sample[] = [
  armoured("OpenSSH, aes128-ctr", vector("file-openssh", /ed25519.*aes128-ctr/)),
  armoured("OpenSSH, aes128-gcm", vector("file-openssh", /ed25519.*aes128-gcm/), true),
  // Each flip costs two bcrypt hashes, so these flip some bytes only.
  { ...armoured("OpenSSH, aes256-cbc", vector("file-openssh", /ed25519.*aes256-cbc/)), step: 7 },
  { ...armoured("OpenSSH, chacha20-poly1305", vector("file-openssh", /ed25519.*chacha20/), true), step: 7 },
  // Without the public key, each seed of an Ed25519 key is valid.
  { ...armoured("PKCS #8, Ed25519", vector("file-pkcs8", /nocrypt -in ed25519$/)), hasPublicKey: false },
  armoured("PKCS #8, P-256", vector("file-pkcs8", /nocrypt -in p256$/)),
  armoured("PKCS #8, PBKDF2", vector("file-pkcs8-encrypted", /-in p256 -passout pass:correct horse battery staple$/)),
  armoured("PKCS #8, scrypt", vector("file-pkcs8-encrypted", /-in p384 .*-scrypt/)),
  armoured("SEC 1", vector("file-pem", /^openssl ec -in p256$/)),
  armoured("SEC 1, DEK-Info", vector("file-pem", /^openssl ec .*-aes128/)),
  raw("PEM text", vector("file-pkcs8", /nocrypt -in p256$/)),
  raw("PEM text with DEK-Info", vector("file-pem", /^openssl ec .*-aes128/)),
  raw("PPK version 2", vector("file-ppk", /ed25519 .*version=2/), true),
  raw("PPK version 3", vector("file-ppk", /ed25519 .*version=3,kdf=argon2id/), true),
  raw("PPK version 3, plain", vector("file-ppk", /ed25519 -O private --ppk-param version=3$/), true),
  raw("PKCS #12", vector("file-pkcs12", /-inkey ed25519.*-nomaciter/), true),
  raw("JWK", vector("file-jwk", /p256/)),
];

describe.each(samples)("a damaged file: $title", ({ bytes, wrap, ...sample }) => {
  const { passphrase = secret, publicLine, text } = sample.vector;
  const { hasMac, hasPublicKey = true, step = 1 } = sample;

  /** A typed error without a part of the file, or the same key. */
  async function check(file: string | Bytes, allowsKey: boolean): Promise<void> {
    const result: unknown = await read(file, passphrase).catch((reason: unknown) => reason);
    if (!(result instanceof Error)) {
      if (hasPublicKey) expect(formatPublicKey((result as PrivateKey).publicKey)).toBe(publicLine);
      expect(allowsKey).toBe(true);
      return;
    }
    expect(result).toBeInstanceOf(SshError);
    expect(codes).toContain((result as SshError).code);
    expect(result.cause).toBeUndefined();
    for (const line of text?.split("\n") ?? []) {
      if (/^[A-Za-z0-9+/=]{16,}$/.test(line)) expect(result.message).not.toContain(line.slice(0, 16));
    }
  }

  it("is the key while it is whole", async () => {
    expect(formatPublicKey((await read(wrap(bytes), passphrase)).publicKey)).toBe(publicLine);
  });

  it("is a typed error for each truncation", { timeout }, async () => {
    for (let size = 0; size < bytes.length; size++) {
      // Only a line end at the end of the text may be missing.
      await check(wrap(bytes.slice(0, size)), size >= bytes.length - 2);
    }
  });

  const orKey = hasMac ? "" : hasPublicKey ? " or the same key" : " or a key";
  it(`is a typed error${orKey} for each flipped byte`, { timeout }, async () => {
    for (let at = 0; at < bytes.length; at += step) {
      const flipped = bytes.slice();
      flipped[at] = (flipped[at] ?? 0) ^ (1 << (at % 8));
      await check(wrap(flipped), !hasMac);
    }
  });
});

// ---- hand-made files

const salt = octets(new Uint8Array(8));
const pbkdf2 = (...parameters: Bytes[]) =>
  encryptedBy(sequence(oid("2a864886f70d01050c"), sequence(salt, ...parameters)));
const scrypt = (n: number, r: number, p: number) =>
  encryptedBy(sequence(oid("2b06010401da47040b"), sequence(salt, integer(n), integer(r), integer(p))));

describe("the cost of a file", () => {
  const openssh = armoured("", vector("file-openssh", /ed25519.*aes256-ctr/));
  const bcrypt = (rounds: number) => {
    const bytes = openssh.bytes.slice();
    // magic, cipher, kdf, length of the options, salt (PROTOCOL.key section 1)
    new DataView(bytes.buffer).setUint32(15 + 4 + 10 + 4 + 6 + 4 + 4 + 16, rounds);
    return openssh.wrap(bytes);
  };
  const ppk = (from: RegExp, to: string) => (vector("file-ppk", /version=3,kdf=argon2id/).text ?? "").replace(from, to);

  it.each([
    ["1024 rounds of bcrypt", "0 rounds", bcrypt(0)],
    ["1024 rounds of bcrypt", "1025 rounds", bcrypt(1025)],
    ["1024 rounds of bcrypt", "2^32 - 1 rounds", bcrypt(0xffff_ffff)],
    ["5000000 iterations of PBKDF2", "no iterations", pbkdf2(integer(0))],
    ["5000000 iterations of PBKDF2", "5000001 iterations", pbkdf2(integer(5_000_001))],
    ["5000000 iterations of PBKDF2", "an INTEGER of 100 bytes", pbkdf2(shortest(0x02, new Uint8Array(100).fill(1)))],
    ["268435456 bytes of scrypt memory", "1 GiB of scrypt", scrypt(2 ** 20, 8, 1)],
    ["268435456 bytes of scrypt memory", "2^48 * 2^40 * 2^40", scrypt(2 ** 47, 2 ** 40, 2 ** 40)],
    ["1073741824 bytes of scrypt work", "17 lanes of scrypt", scrypt(2 ** 16, 8, 17)],
    ["262144 KiB of Argon2 memory", "1 GiB of Argon2", ppk(/Argon2-Memory: \d+/, "Argon2-Memory: 1048576")],
    ["4194304 KiB of Argon2 memory times passes", "passes", ppk(/Argon2-Passes: \d+/, "Argon2-Passes: 9999999")],
    ["268435456 bytes of scrypt lanes", "512 MiB of scrypt lanes", scrypt(2, 1, 2 ** 22)],
    ["16 Argon2 lanes", "17 lanes of Argon2", ppk(/Argon2-Parallelism: \d+/, "Argon2-Parallelism: 17")],
  ])("is at most %s: %s", async (limit, _, file) => {
    derivations.length = 0;
    const error = await failure(file);
    expect(error.code).toBe("limit");
    expect(error.message).toContain(limit);
    expect(derivations).toEqual([]);
  });

  it("is checked before the passphrase is needed", async () => {
    const asked: string[] = [];
    const ask = () => {
      asked.push("");
      return secret;
    };
    await expect(readKeyFile(bcrypt(5000), ask, publicHalf, crypto)).rejects.toMatchObject({ code: "limit" });
    expect(asked).toEqual([]);
  });

  it("allows at most two encrypted parts in PKCS #12", async () => {
    const sealed = sequence(
      oid("2a864886f70d010706"),
      shortest(
        0xa0,
        sequence(integer(0), sequence(oid("2a864886f70d010701"), aes256Cbc, shortest(0x80, new Uint8Array(16)))),
      ),
    );
    const error = await failure(pkcs12([sealed, sealed, sealed]), "");
    expect(error).toMatchObject({ code: "limit", message: expect.stringContaining("2 encrypted parts") });
  });

  it("is none for a file of more than 64 KiB", async () => {
    for (const file of [
      "=".repeat(80_000),
      `-----BEGIN PRIVATE KEY-----\n${"=".repeat(80_000)}\n-----END PRIVATE KEY-----`,
      new Uint8Array(80_000).fill(0x30),
    ]) {
      expect(await failure(file)).toMatchObject({ code: "limit", message: expect.stringContaining("65536") });
    }
  });
});

describe("a malformed file", () => {
  const equals = "=".repeat(60_000);
  const giant = Uint8Array.of(0x30, 0x84, 0x40, 0, 0, 0, 2, 1, 0);
  const nested = (depth: number) => {
    let bytes: Bytes = integer(0);
    for (let i = 0; i < depth; i++) bytes = shortest(0x30, integer(0), bytes);
    return bytes;
  };
  const inOctets = (depth: number) => {
    let bytes: Bytes = octets(new Uint8Array(32));
    for (let i = 0; i < depth; i++) bytes = sequence(integer(0), sequence(oid("2b6570")), octets(bytes));
    return bytes;
  };
  const ed25519 = sequence(integer(0), sequence(oid("2b6570")), octets(octets(new Uint8Array(32).fill(7))));

  it("is a key before it is malformed", async () => {
    expect(await read(pem("PRIVATE KEY", ed25519))).toMatchObject({ type: "ssh-ed25519" });
    expect(await read(pem("PRIVATE KEY", inOctets(1)))).toMatchObject({ type: "ssh-ed25519" });
  });

  it.each([
    ["60 KB of = in PEM", `-----BEGIN PRIVATE KEY-----\n${equals}\n-----END PRIVATE KEY-----`],
    ["60 KB of = in OpenSSH", `-----BEGIN OPENSSH PRIVATE KEY-----\n${equals}\n-----END OPENSSH PRIVATE KEY-----`],
    ["60 KB of = in PPK", `PuTTY-User-Key-File-3: ssh-ed25519\n${equals}`],
    ["60 KB of BEGIN", "-----BEGIN PRIVATE KEY-----\n".repeat(2000)],
    ["60 KB of brackets", "{".repeat(60_000)],
    ["1 GiB of DER", giant],
    ["1 GiB of DER in PEM", pem("PRIVATE KEY", giant)],
    ["1 GiB in a key", pem("PRIVATE KEY", sequence(integer(0), sequence(oid("2b6570")), fromHex("048440000000")))],
    ["1 GiB of lines", "PuTTY-User-Key-File-2: ssh-rsa\nEncryption: none\nComment: \nPublic-Lines: 1073741824\n"],
    ["60 KB of nested DER", nested(8_000)],
    ["1000 nested sequences", pem("PRIVATE KEY", nested(1000))],
    ["PKCS #8 in PKCS #8", pem("PRIVATE KEY", inOctets(2))],
    ["20 times PKCS #8", pem("PRIVATE KEY", inOctets(20))],
    ["an indefinite length", pem("PRIVATE KEY", concat(fromHex("3080"), ed25519.subarray(2), fromHex("0000")))],
    ["a long form for a short length", pem("PRIVATE KEY", concat(fromHex("30812e"), ed25519.subarray(2)))],
    ["bytes after the end", pem("PRIVATE KEY", concat(ed25519, fromHex("0000")))],
    ["a key length that is not the cipher's", pbkdf2(integer(1000), integer(16))],
    ["a scrypt cost that is no power of two", scrypt(1000, 8, 1)],
    ["a scrypt cost of 1", scrypt(1, 8, 1)],
    ["a scrypt cost of 2^16 for a block size of 1 (RFC 7914 section 2)", scrypt(2 ** 16, 1, 1)],
  ])("is a key error: %s", async (_, file) => {
    derivations.length = 0;
    const error = await failure(file);
    expect(error.code).toBe("key");
    expect(error.message.length).toBeLessThan(300);
    expect(derivations).toEqual([]);
  });

  it.each(["constructor", "__proto__", "toString"])("has %s for a key derivation of PuTTY", async (name) => {
    const file = (vector("file-ppk", /version=3,kdf=argon2id/).text ?? "").replace("Argon2id", name);
    expect(await failure(file)).toMatchObject({ code: "unsupported" });
  });

  it("has lengths that lie at any place of an OpenSSH envelope", { timeout }, async () => {
    const { bytes, wrap } = armoured("", vector("file-openssh", /ed25519.*aes128-gcm/));
    for (let at = 15; at < 150; at++) {
      for (const size of [0, 0x4000_0000, 0xffff_ffff]) {
        const lying = bytes.slice();
        new DataView(lying.buffer).setUint32(at, size);
        expect(codes).toContain((await failure(wrap(lying))).code);
      }
    }
  });
});
