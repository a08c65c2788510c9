/** Key files that are whole but wrong, one fault each: the error names the fault, or the command that converts. */
import { loadKeyFileCrypto, parsePrivateKey, publicHalf, readPrivateKey } from "@postern/noble";
import { type Bytes, concat, fromBase64, fromHex, SshError, toBase64, toHex, utf8, Writer } from "@postern/wire";
import { describe, expect, it } from "vitest";
import { encodeFile } from "../src/encode-private-key.ts";
import { removePadding } from "../src/files/pbes2.ts";
import { loadKeyFiles, type PrivateKey, privateKeyJwk } from "../src/index.ts";
import {
  aes256Cbc,
  encryptedBy,
  integer,
  octets,
  oid,
  pem,
  pkcs12,
  plainContent,
  sequence,
  shortest,
} from "./der-writer.ts";
import { vectorOf } from "./vectors.ts";

const crypto = await loadKeyFileCrypto();
const { readKeyFile } = await loadKeyFiles();
const read = (file: string | Bytes, passphrase = ""): Promise<PrivateKey> =>
  readKeyFile(file, passphrase, publicHalf, crypto);

type Row = readonly [title: string, file: string | Bytes, code: string, message: string];

async function expectFailure([, file, code, message]: Row): Promise<void> {
  const error: unknown = await read(file).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(SshError);
  expect(error).toMatchObject({ code, message: expect.stringContaining(message) });
}

const keyOf = (type: string) => parsePrivateKey(vectorOf(type).privateKey);
const ed25519 = keyOf("ssh-ed25519");
const p256 = keyOf("ecdsa-sha2-nistp256");
const p384 = keyOf("ecdsa-sha2-nistp384");
const rsa = privateKeyJwk(keyOf("ssh-rsa"));
if (!("seed" in ed25519 && "scalar" in p256 && "scalar" in p384 && "n" in rsa)) throw new Error("expected four types");

const { seed } = ed25519;

const oids = {
  ed25519: oid("2b6570"),
  ec: oid("2a8648ce3d0201"),
  p256: oid("2a8648ce3d030107"),
  p384: oid("2b81040022"),
  rsa: oid("2a864886f70d010101"),
};
const explicit = (tag: number, content: Bytes) => shortest(0xa0 + tag, content);
const pkcs8 = (...parts: readonly Bytes[]) => pem("PRIVATE KEY", sequence(...parts));

describe("a PKCS #8 file of Ed25519 (RFC 8410)", () => {
  const algorithm = sequence(oids.ed25519);
  const key = octets(octets(seed));
  const publicKey = (point: Bytes, unused = 0) => shortest(0x81, Uint8Array.of(unused), point);
  const attributes = explicit(0, sequence(oid("2a03"), shortest(0x31, octets(utf8("x")))));

  it.each([
    ["neither attributes nor public key", [integer(0), algorithm, key]],
    ["attributes", [integer(0), algorithm, key, attributes]],
    ["its public key (RFC 5958)", [integer(1), algorithm, key, publicKey(ed25519.point)]],
    ["both", [integer(1), algorithm, key, attributes, publicKey(ed25519.point)]],
  ])("is read with %s", async (_, parts) => {
    expect(await read(pkcs8(...parts))).toMatchObject({ publicKey: ed25519.publicKey });
  });

  it.each<Row>([
    ["version 2", pkcs8(integer(2), algorithm, key), "unsupported", "version 2 of PKCS #8"],
    ["a seed of 31 bytes", pkcs8(integer(0), algorithm, octets(octets(new Uint8Array(31)))), "key", "(Ed25519)"],
    ["bytes after the seed", pkcs8(integer(0), algorithm, octets(octets(seed), integer(1))), "key", "(PEM)"],
    ["parameters", pkcs8(integer(0), sequence(oids.ed25519, shortest(5)), key), "key", "(PEM)"],
    ["another public key", pkcs8(integer(1), algorithm, key, publicKey(new Uint8Array(32))), "key", "two halves"],
    ["a public key of seven bits", pkcs8(integer(1), algorithm, key, publicKey(ed25519.point, 1)), "key", "(PEM)"],
    ["bytes after the public key", pkcs8(integer(1), algorithm, key, publicKey(ed25519.point), key), "key", "(PEM)"],
    ["another element", pkcs8(integer(1), algorithm, key, shortest(0x82)), "key", "(PEM)"],
    [
      "another algorithm",
      pkcs8(integer(0), sequence(oid("2a03")), key),
      "unsupported",
      "a key of type 1.2.3 in PKCS #8",
    ],
  ])("is refused with %s", (...row) => expectFailure(row));
});

describe("an ECDSA key in DER (RFC 5915)", () => {
  const algorithm = sequence(oids.ec, oids.p256);
  const sec1 = (scalar: Bytes, ...rest: readonly Bytes[]) => sequence(integer(1), octets(scalar), ...rest);
  const inPkcs8 = (scalar: Bytes, ...rest: readonly Bytes[]) =>
    pkcs8(integer(0), algorithm, octets(sec1(scalar, ...rest)));
  const point = (bytes: Bytes, unused = 0) => explicit(1, shortest(0x03, Uint8Array.of(unused), bytes));
  const inPem = (...parts: readonly Bytes[]) => pem("EC PRIVATE KEY", sequence(...parts));

  it.each([
    ["without its public key", inPkcs8(p256.scalar)],
    ["with its curve twice", inPkcs8(p256.scalar, explicit(0, oids.p256), point(p256.point))],
    ["with leading zeros in its scalar", inPkcs8(concat(new Uint8Array(3), p256.scalar))],
    ["in DER", sec1(p256.scalar, explicit(0, oids.p256))],
  ])("is read %s", async (_, file) => {
    expect(await read(file)).toMatchObject({ publicKey: p256.publicKey });
  });

  it.each<Row>([
    ["version 2", inPem(integer(2), octets(p256.scalar), explicit(0, oids.p256)), "key", "(PEM)"],
    ["no curve", inPem(integer(1), octets(p256.scalar)), "key", "(PEM)"],
    ["two curves", inPkcs8(p256.scalar, explicit(0, oids.p384)), "key", "(PEM)"],
    [
      "another curve",
      inPem(integer(1), octets(p256.scalar), explicit(0, oid("2b8104000a"))),
      "unsupported",
      "1.3.132.0.10",
    ],
    ["a scalar of zero", inPkcs8(new Uint8Array(32)), "key", "(ECDSA)"],
    ["a scalar above the order", inPkcs8(new Uint8Array(32).fill(0xff)), "key", "(ECDSA)"],
    ["a scalar that is too long", inPkcs8(concat(Uint8Array.of(1), p256.scalar)), "key", "(ECDSA)"],
    ["the point of another key", inPkcs8(p256.scalar, point(p384.point)), "key", "two halves"],
    ["a point of seven bits", inPkcs8(p256.scalar, point(p256.point, 1)), "key", "(PEM)"],
    ["bytes after the point", inPkcs8(p256.scalar, point(p256.point), integer(0)), "key", "(PEM)"],
  ])("is refused with %s", (...row) => expectFailure(row));
});

describe("an RSA key in DER (RFC 8017 appendix A.1.2)", () => {
  const numbers = [rsa.n, rsa.e, rsa.d, rsa.p, rsa.q, rsa.dp, rsa.dq, rsa.qi].map((text) =>
    fromBase64(text.replaceAll("-", "+").replaceAll("_", "/")),
  );
  const unsigned = (bytes: Bytes) =>
    shortest(0x02, (bytes[0] ?? 0) > 0x7f ? Uint8Array.of(0) : new Uint8Array(), bytes);
  const body = (version = 0, change: Readonly<Record<number, Bytes>> = {}) =>
    sequence(integer(version), ...numbers.map((number, at) => unsigned(change[at] ?? number)));
  const inPem = (...args: Parameters<typeof body>) => pem("RSA PRIVATE KEY", body(...args));
  const algorithm = (...parameters: readonly Bytes[]) => sequence(oids.rsa, ...parameters);

  it.each([
    ["PKCS #1", inPem()],
    ["PKCS #8 with the parameter NULL", pkcs8(integer(0), algorithm(shortest(5)), octets(body()))],
    ["PKCS #8 without parameters", pkcs8(integer(0), algorithm(), octets(body()))],
  ])("is read from %s", async (_, file) => {
    expect(toHex((await read(file)).publicKey)).toBe(toHex(keyOf("ssh-rsa").publicKey));
  });

  it.each<Row>([
    ["three primes", inPem(1), "unsupported", "more than two primes"],
    ["another exponent1", inPem(0, { 5: Uint8Array.of(3) }), "key", "(RSA)"],
    ["another exponent2", inPem(0, { 6: Uint8Array.of(3) }), "key", "(RSA)"],
    ["another coefficient", inPem(0, { 7: Uint8Array.of(3) }), "key", "two halves"],
    ["other parameters", pkcs8(integer(0), algorithm(integer(1)), octets(body())), "key", "(PEM)"],
  ])("is refused with %s", (...row) => expectFailure(row));
});

describe("PBES2 (RFC 8018)", () => {
  const salt = octets(new Uint8Array(8));
  const kdf = (...parameters: readonly Bytes[]) =>
    sequence(oid("2a864886f70d01050c"), sequence(salt, integer(1000), ...parameters));
  const cipher = (name: string, iv: number) => sequence(oid(name), octets(new Uint8Array(iv)));

  it.each<Row>([
    [
      "another scheme",
      pem("ENCRYPTED PRIVATE KEY", sequence(sequence(oid("2a03")), octets())),
      "unsupported",
      "the scheme 1.2.3",
    ],
    ["another key derivation", encryptedBy(sequence(oid("2a03"), sequence(salt))), "unsupported", "derived with 1.2.3"],
    ["another hash", encryptedBy(kdf(sequence(oid("2a03")))), "unsupported", "the hash 1.2.3"],
    ["another cipher", encryptedBy(kdf(), cipher("2a03", 16)), "unsupported", "the cipher 1.2.3"],
    ["an IV of 8 bytes", encryptedBy(kdf(), cipher("60864801650304012a", 8)), "key", "(PEM)"],
    ["no data", encryptedBy(kdf(), aes256Cbc, new Uint8Array()), "key", "(PEM)"],
    ["a part of a block", encryptedBy(kdf(), aes256Cbc, new Uint8Array(24)), "key", "(PEM)"],
    ["another passphrase", encryptedBy(kdf()), "passphrase", "a wrong one"],
  ])("is refused with %s", (...row) => expectFailure(row));

  it.each([
    ["zero", "0102030405060700"],
    ["above the size of a block", "0102030405060709"],
    ["with another byte before it", "0102030405060302"],
  ])("has no padding of %s (RFC 8018 section 6.1.1)", (_, hex) => {
    expect(() => removePadding(fromHex(hex), 8)).toThrow(expect.objectContaining({ code: "passphrase" }));
  });

  it.each([
    ["0102030405060701", "01020304050607"],
    ["0808080808080808", ""],
  ])("has padding in %s", (hex, text) => expect(toHex(removePadding(fromHex(hex), 8))).toBe(text));
});

describe("a PKCS #12 file (RFC 7292)", () => {
  const key = sequence(integer(0), sequence(oids.ed25519), octets(octets(seed)));
  const bag = (type: string, ...rest: readonly Bytes[]) => sequence(oid(type), explicit(0, key), ...rest);
  const keyBag = "2a864886f70d010c0a0101";
  const certBag = "2a864886f70d010c0a0103";
  const attributes = shortest(0x31, sequence(oid("2a03")));

  it("is read if its key is not encrypted, with and without attributes", async () => {
    for (const rest of [[], [attributes]]) {
      const file = pkcs12([plainContent(sequence(bag(certBag), bag(keyBag, ...rest)))]);
      expect(await read(file)).toMatchObject({ publicKey: ed25519.publicKey });
    }
  });

  it.each<Row>([
    [
      "a signature for its integrity",
      pkcs12([], { outer: "2a864886f70d010702" }),
      "unsupported",
      "1.2.840.113549.1.7.2",
    ],
    ["a MAC of MD5", pkcs12([], { macHash: "2a864886f70d0205" }), "unsupported", "the MAC 1.2.840.113549.2.5"],
    ["other content", pkcs12([plainContent(key, "2a03")]), "unsupported", "content of the type 1.2.3"],
    ["no parts", pkcs12([]), "key", "got none"],
    ["no key", pkcs12([plainContent(sequence(bag(certBag)))]), "key", "got none"],
    ["two keys", pkcs12([plainContent(sequence(bag(keyBag), bag(keyBag)))]), "key", "got several"],
    ["bytes after a bag", pkcs12([plainContent(sequence(bag(keyBag, attributes, attributes)))]), "key", "(DER)"],
  ])("is refused with %s", (...row) => expectFailure(row));
});

describe("PEM with headers (RFC 1421 section 4.6)", () => {
  const block = (...lines: readonly string[]) =>
    ["-----BEGIN EC PRIVATE KEY-----", ...lines, "-----END EC PRIVATE KEY-----", ""].join("\n");
  const encrypted = (dekInfo: string, body = "A".repeat(64)) =>
    block("Proc-Type: 4,ENCRYPTED", `DEK-Info: ${dekInfo}`, "", body);
  const iv = "00".repeat(16);

  it.each<Row>([
    ["text after BEGIN", "-----BEGIN PRIVATE KEY----- x\n-----END PRIVATE KEY-----\n", "key", "(PEM)"],
    ["no END", "-----BEGIN PRIVATE KEY-----\nAAAA\n", "key", "(PEM)"],
    ["the END of another block", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n", "key", "(PEM)"],
    ["no lines", block(), "key", "(PEM)"],
    ["two keys", block("AAAA") + block("AAAA"), "key", "got several"],
    ["headers without an empty line", block("Proc-Type: 4,ENCRYPTED", "AAAA"), "key", "(PEM)"],
    ["a header without a colon", block("Proc-Type: 4,ENCRYPTED", "DEK-Info", "", "AAAA"), "key", "(PEM)"],
    ["another Proc-Type", block("Proc-Type: 4,CLEAR", "", "AAAA"), "key", "(PEM)"],
    ["no DEK-Info", block("Proc-Type: 4,ENCRYPTED", "", "AAAA"), "key", "(PEM)"],
    ["a DEK-Info without an IV", encrypted("AES-128-CBC"), "key", "(PEM)"],
    ["another cipher", encrypted(`DES-CBC,${iv}`), "unsupported", "encrypted by DES-CBC; convert"],
    [
      "triple DES, which only a platform has",
      encrypted("DES-EDE3-CBC,0000000000000000"),
      "unsupported",
      "by DES-EDE3-CBC",
    ],
    ["an IV of 8 bytes", encrypted("AES-128-CBC,0000000000000000"), "key", "(PEM)"],
    ["an IV of half a byte", encrypted("AES-128-CBC,000"), "key", "(PEM)"],
    ["no data", encrypted(`AES-128-CBC,${iv}`, ""), "key", "(PEM)"],
    ["a part of a block", encrypted(`AES-128-CBC,${iv}`, "AAAA"), "key", "(PEM)"],
    ["another passphrase", encrypted(`AES-192-CBC,${iv}`), "passphrase", "a wrong one"],
  ])("is refused with %s", (...row) => expectFailure(row));
});

describe("a PuTTY file (PuTTY manual, appendix C)", () => {
  const fields = (...parts: readonly Bytes[]) =>
    parts.reduce<Writer>((writer, part) => writer.string(part), new Writer()).finish();
  const blob = (bytes: Bytes) => [
    `${Math.ceil(toBase64(bytes).length / 64)}`,
    ...(toBase64(bytes).match(/.{1,64}/g) ?? []),
  ];
  /** An unencrypted file of version 3 with a valid MAC. */
  function ppk(
    change: { header?: string; type?: string; encryption?: string; publicKey?: Bytes; secret?: Bytes } = {},
  ) {
    const { header = "PuTTY-User-Key-File-3", type = "ssh-ed25519", encryption = "none" } = change;
    const { publicKey = ed25519.publicKey, secret = fields(seed) } = change;
    const covered = new Writer().text(type).text(encryption).text("me").string(publicKey).string(secret).finish();
    const [publicLines = "", ...publicText] = blob(publicKey);
    const [privateLines = "", ...privateText] = blob(secret);
    return [
      `${header}: ${type}`,
      `Encryption: ${encryption}`,
      "Comment: me",
      `Public-Lines: ${publicLines}`,
      ...publicText,
      `Private-Lines: ${privateLines}`,
      ...privateText,
      `Private-MAC: ${toHex(crypto.hmac("sha256", new Uint8Array(), covered))}`,
      "",
    ].join("\n");
  }
  const padded = (size: number) => concat(fields(seed), new Uint8Array(size));
  const sealed = ppk({ encryption: "aes256-cbc", secret: new Uint8Array(48) }).replace(
    "Private-Lines",
    "Key-Derivation: Argon2id\nArgon2-Memory: 8\nArgon2-Passes: 1\nArgon2-Parallelism: 1\nArgon2-Salt: 0001020304050607\nPrivate-Lines",
  );

  it("is read with a byte order mark, and as bytes", async () => {
    for (const file of [ppk(), `\ufeff${ppk()}`, utf8(ppk())]) {
      expect(await read(file)).toMatchObject({ publicKey: ed25519.publicKey, comment: "me" });
    }
    expect(await read(ppk({ secret: padded(15) }))).toMatchObject({
      comment: "me",
    });
  });

  it.each<Row>([
    ["version 1", ppk({ header: "PuTTY-User-Key-File-1" }), "unsupported", "PPK version 1"],
    ["no version", ppk({ header: "PuTTY-User-Key-File-x" }), "key", "(PuTTY format)"],
    ["a DSA key", ppk({ type: "ssh-dss" }), "unsupported", "of type ssh-dss; Postern reads"],
    ["a type that is no name", ppk({ type: "a b" }), "unsupported", "of type unknown"],
    ["another cipher", ppk({ encryption: "3des-cbc" }), "unsupported", "encrypted by 3des-cbc; convert"],
    ["a cipher that is no name", ppk({ encryption: "a b" }), "unsupported", "encrypted by an unknown cipher"],
    ["another header", ppk().replace("Comment", "Remark"), "key", "(PuTTY format)"],
    ["a number with a leading zero", ppk().replace("Lines: 1", "Lines: 01"), "key", "(PuTTY format)"],
    ["more lines than there are", ppk().replace(/Private-Lines: 1/, "Private-Lines: 9"), "key", "(PuTTY format)"],
    ["base64 without padding", ppk({ secret: padded(1) }).replace(/=+\n/, "\n"), "key", "(PuTTY format)"],
    ["an upper-case MAC", ppk().replace(/MAC: .*/, `MAC: ${"AB".repeat(32)}`), "key", "(PuTTY format)"],
    ["a MAC of half a byte", ppk().replace(/MAC: .*/, "MAC: abc"), "key", "(PuTTY format)"],
    ["another MAC", ppk().replace("Comment: me", "Comment: us"), "key", "(PuTTY format)"],
    ["a line after the MAC", `${ppk()}more\n`, "key", "(PuTTY format)"],
    ["16 bytes after the key", ppk({ secret: padded(16) }), "key", "(PuTTY format)"],
    ["a seed of 33 bytes", ppk({ secret: fields(new Uint8Array(33)) }), "key", "(PuTTY format)"],
    ["another seed", ppk({ secret: fields(new Uint8Array(32)) }), "key", "two halves"],
    ["another key derivation", sealed.replace("Argon2id", "Argon2x"), "unsupported", "an unknown key derivation"],
    ["less than 8 KiB for each lane (RFC 9106)", sealed.replace("lelism: 1", "lelism: 2"), "key", "for each lane"],
    ["a salt of 7 bytes", sealed.replace("0001020304050607", "00010203040506"), "key", "(PuTTY format)"],
    ["a part of a block", sealed.replace(/Lines: 1\n(A{64})/, "Lines: 1\nAAAA"), "key", "(PuTTY format)"],
    ["no private part", sealed.replace(/Private-Lines: 1\nA{64}/, "Private-Lines: 0"), "key", "(PuTTY format)"],
    ["another passphrase", sealed, "passphrase", "a wrong one"],
  ])("is refused with %s", (...row) => expectFailure(row));
});

describe("a JWK (RFC 7517)", () => {
  const okp = privateKeyJwk(ed25519);
  const ec = privateKeyJwk(p256);
  const text = (value: object) => JSON.stringify(value);

  it.each<Row>([
    ["text after the object", `${text(okp)}}`, "key", "(JWK)"],
    ["no private part", text({ ...okp, d: undefined }), "key", "(JWK)"],
    ["a number as its private part", text({ ...okp, d: 7 }), "key", "(JWK)"],
    ["base64 with padding", text({ ...okp, d: "AAA=" }), "key", "(JWK)"],
    ["a short private part", text({ ...okp, d: "AAA" }), "key", "(Ed25519)"],
    ["the type oct", text({ kty: "oct", k: "AAAA" }), "unsupported", "a JWK of another type"],
    ["another Edwards curve", text({ ...okp, crv: "Ed448" }), "unsupported", "a JWK of another type"],
    ["another curve", text({ ...ec, crv: "secp256k1" }), "unsupported", "a JWK of another type"],
    ["the public half of another key", text({ ...ec, x: "AAAA" }), "key", "expected"],
  ])("is refused with %s", (...row) => expectFailure(row));
});

describe("an encrypted OpenSSH file (PROTOCOL.key)", () => {
  const options = (salt: Bytes) => new Writer().string(salt).uint32(1).finish();
  const file = (cipher: string, kdf = "bcrypt", salt: Bytes = new Uint8Array(16), size = 160) =>
    encodeFile(cipher, kdf, options(salt), ed25519.publicKey, new Uint8Array(size));

  it.each<Row>([
    ["another key derivation", file("aes256-ctr", "argon2"), "unsupported", "encrypted by aes256-ctr with argon2"],
    ["another cipher", file("3des-cbc"), "unsupported", "encrypted by 3des-cbc with bcrypt; convert"],
    ["names that are none", file("a b", "c d"), "unsupported", "an unknown cipher with an unknown key derivation"],
    ["no salt", file("aes256-ctr", "bcrypt", new Uint8Array()), "key", "(OpenSSH format)"],
    ["no secret part", file("aes256-ctr", "bcrypt", new Uint8Array(16), 0), "key", "(OpenSSH format)"],
    ["a part of a block", file("aes256-ctr", "bcrypt", new Uint8Array(16), 24), "key", "(OpenSSH format)"],
    ["no tag", file("aes256-gcm@openssh.com"), "key", "(OpenSSH format)"],
    ["another passphrase", file("aes256-ctr"), "passphrase", "a wrong one"],
  ])("is refused with %s", (...row) => expectFailure(row));
});

describe("the options of readPrivateKey", () => {
  it("refuses a passphrase that is no text, once the file needs one", async () => {
    const file = encryptedBy(sequence(oid("2a864886f70d01050c"), sequence(octets(new Uint8Array(8)), integer(1000))));
    for (const passphrase of [() => 7 as never, async () => undefined as never]) {
      await expect(readPrivateKey(file, { passphrase })).rejects.toMatchObject({ code: "misuse" });
    }
    await expect(readPrivateKey(file)).rejects.toMatchObject({
      code: "passphrase",
      message: expect.stringContaining("got none"),
    });
  });

  it.each([{ passphrase: 7 }, { certificate: 7 }, { certificate: {} }])("refuses %j as misuse", async (options) => {
    const { privateKey } = vectorOf("ssh-ed25519");
    await expect(readPrivateKey(privateKey, options as never)).rejects.toMatchObject({ code: "misuse" });
  });
});
