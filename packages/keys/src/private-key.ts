/** Private keys in the OpenSSH format (OpenSSH PROTOCOL.key), without a passphrase. @module */
import type { NistCurve, RsaPublicKey } from "@postern/crypto";
import { type Bytes, equal, expectType, fromBase64, Reader, SshError, utf8 } from "@postern/wire";
import { readKeyPair } from "./key-pair.ts";
import type { PublicHalf } from "./public-half.ts";
import { isName } from "./public-key.ts";

interface KeyPair {
  /** the public key blob, RFC 4253 section 6.6 */
  readonly publicKey: Bytes;
  readonly comment: string;
}

/** RFC 8709: the seed is the private key of RFC 8032 section 5.1.5. */
export interface Ed25519PrivateKey extends KeyPair {
  readonly type: "ssh-ed25519";
  readonly point: Bytes;
  readonly seed: Bytes;
}

/** RFC 5656: an uncompressed point, and a scalar of the curve's size. */
export interface EcdsaPrivateKey extends KeyPair {
  readonly type: `ecdsa-sha2-${NistCurve["name"]}`;
  readonly curve: NistCurve;
  readonly point: Bytes;
  readonly scalar: Bytes;
}

/** RFC 8017 section 3.2: unsigned big-endian integers without leading zeros. */
export interface RsaPrivateKey extends KeyPair, RsaPublicKey {
  readonly type: "ssh-rsa";
  readonly privateExponent: Bytes;
  readonly prime1: Bytes;
  readonly prime2: Bytes;
  /** the inverse of prime2 modulo prime1 */
  readonly coefficient: Bytes;
}

/** A private key by its type, components as bytes. It holds secrets: do not log it. */
export type PrivateKey = Ed25519PrivateKey | EcdsaPrivateKey | RsaPrivateKey;

const label = "OPENSSH PRIVATE KEY";
// No template: a bundler would keep it where no key is read.
const expected = "expected a private key in the OpenSSH format (-----BEGIN OPENSSH PRIVATE KEY-----)";
const magic = "openssh-key-v1\0";
/** A key of 16384 bits has 13 KB of text. */
const maxText = 65_536;

/** Makes the function `parsePrivateKey` of a platform. */
export function createPrivateKeyParser(publicHalf: PublicHalf): (text: string) => PrivateKey {
  return (text) => decode(text, publicHalf);
}

function decode(text: string, publicHalf: PublicHalf): PrivateKey {
  expectType("the text of a private key", text, "string");
  if (text.length > maxText) throw new SshError("key", `${expected}, got ${text.length} characters`);
  const base64 = unwrap(text);
  try {
    const { publicKey, secret } = openEnvelope(fromBase64(base64));
    return readSecret(secret, publicKey, publicHalf);
  } catch (error) {
    // A damaged length turns any field into secret bytes. So the errors that this package writes hold nothing that was read
    // but names and the size of the public key, and those of the reader, which hold lengths, end here.
    if (error instanceof SshError && error.code === "key") throw error;
    throw damaged();
  }
}

function damaged(): SshError {
  return new SshError("key", `${expected}, got one that is damaged or cut off`);
}

/** What is between the two marks, without white space. */
function unwrap(text: string): string {
  const match = new RegExp(`^\\s*-----BEGIN ${label}-----\\s([^-]*)-----END ${label}-----\\s*$`).exec(text);
  if (match?.[1] === undefined) throw foreign(text);
  return match[1].replace(/\s+/g, "");
}

/** Names what came instead, and how to convert it. */
function foreign(text: string): SshError {
  const convert = "convert a copy with: ssh-keygen -p -f FILE";
  const [, mark] = /-----BEGIN ([A-Z0-9 ]{1,40})-----/.exec(text) ?? [];
  if (mark === label) return damaged();
  if (mark?.endsWith("PUBLIC KEY")) return new SshError("key", `${expected}, got a public key`);
  if (mark?.endsWith("PRIVATE KEY")) return new SshError("key", `${expected}, got a ${mark} in PEM; ${convert}`);
  if (mark !== undefined) return new SshError("key", `${expected}, got a ${mark}`);
  const [, version] = /^\s*PuTTY-User-Key-File-(\d)/.exec(text) ?? [];
  if (version !== undefined) {
    const puttygen =
      "convert it with: puttygen FILE -O private-openssh-new -o NEWFILE (ssh-keygen -p -f FILE cannot read it)";
    return new SshError("key", `${expected}, got a PuTTY key (PPK version ${version}); ${puttygen}`);
  }
  if (/^\s*(?:ssh|ecdsa|sk)-\S+\s+AAAA/.test(text)) return new SshError("key", `${expected}, got a public key`);
  if (text.trim() === "") return new SshError("key", `${expected}, got nothing`);
  const path = /[\r\n]/.test(text.trim()) ? "" : " of one line; if it is the path of a file, read the file first";
  return new SshError("key", `${expected}, got other text${path}`);
}

/** PROTOCOL.key sections 1 and 2. */
function openEnvelope(bytes: Bytes): { publicKey: Bytes; secret: Bytes } {
  const reader = new Reader(bytes, "private key");
  if (!equal(reader.raw(magic.length), utf8(magic)))
    throw new SshError("key", `${expected}, got another version of it`);
  const cipher = reader.text();
  const kdf = reader.text();
  const kdfOptions = reader.string();
  if (cipher !== "none" || kdf !== "none") {
    const how = isName(cipher) && isName(kdf) ? ` (${cipher} with ${kdf})` : "";
    const remove = "remove the passphrase of a copy with: ssh-keygen -p -f FILE";
    throw new SshError(
      "key",
      `expected an unencrypted key, got one protected by a passphrase${how}, which is not read; ${remove}`,
    );
  }
  if (kdfOptions.length > 0) throw new SshError("key", "expected no options without encryption, got some");
  if (reader.uint32() !== 1) throw new SshError("key", "expected one key in the file, got more or none");
  const envelope = { publicKey: reader.string(), secret: reader.string() };
  reader.end();
  return envelope;
}

/** PROTOCOL.key section 3. */
function readSecret(secret: Bytes, publicKey: Bytes, publicHalf: PublicHalf): PrivateKey {
  const reader = new Reader(secret, "private key");
  const checks = [reader.uint32(), reader.uint32()];
  if (checks[0] !== checks[1]) throw new SshError("key", "expected equal check numbers, got a damaged key");
  const pair = readKeyPair(reader, publicKey, publicHalf);
  const comment = reader.text();
  checkPadding(secret.length, reader.rest());
  return { ...pair, comment };
}

/** The bytes 1, 2, 3 … up to the block size, which is 8 without encryption. */
function checkPadding(size: number, padding: Bytes): void {
  if (size % 8 === 0 && padding.length < 8 && padding.every((byte, i) => byte === i + 1)) return;
  throw new SshError("key", "expected padding 1, 2, 3 … to a multiple of 8 bytes, got something else");
}
