/** Private keys in the OpenSSH format (OpenSSH PROTOCOL.key), without a passphrase: parsing and generating. @module */
import { type Random, webRandom } from "@postern/crypto";
import {
  type Bytes,
  concat,
  equal,
  expectType,
  fromBase64,
  Reader,
  SshError,
  toBase64,
  utf8,
  Writer,
} from "@postern/wire";
import { readKeyPair } from "./key-pair.ts";
import type { PrivateKey, PublicHalf } from "./key-types.ts";
import { isName } from "./public-key.ts";

const label = "OPENSSH PRIVATE KEY";
// No template literal: bundlers keep it even if no key is parsed.
const expected = "expected a private key in the OpenSSH format (-----BEGIN OPENSSH PRIVATE KEY-----)";
const magic = "openssh-key-v1\0";
/** the block size of an unencrypted file */
const blockSize = 8;
/** An RSA key of 16384 bits has 13 KB of text. */
const maxText = 65_536;

/** Creates a provider's `parsePrivateKey`. */
export function createPrivateKeyParser(publicHalf: PublicHalf): (text: string) => PrivateKey {
  return (text) => {
    expectType("the text of a private key", text, "string");
    if (text.length > maxText) throw new SshError("key", `${expected}, got ${text.length} characters`);
    const base64 = unwrap(text);
    try {
      const { publicKey, secret } = openEnvelope(fromBase64(base64));
      return readSecret(secret, publicKey, publicHalf);
    } catch (error) {
      // A damaged length can make any field contain secret bytes. So messages of code `key` contain only names and the
      // public key's size, and messages of the reader, which contain lengths, are replaced.
      if (error instanceof SshError && error.code === "key") throw error;
      throw damaged();
    }
  };
}

/** Options of `generatePrivateKey`. */
export interface GenerateOptions {
  readonly comment?: string;
  readonly random?: Random;
}

/** Creates a provider's `generatePrivateKey`. */
export function createKeyGenerator(publicHalf: PublicHalf): (options?: GenerateOptions) => string {
  return (options = {}) => {
    expectType("the options of generatePrivateKey", options, "object");
    const { comment = "", random = webRandom } = options;
    expectType("comment", comment, "string");
    expectType("random", random, "function");
    const seed = random(32);
    const point = publicHalf.ed25519(seed);
    const publicKey = new Writer().text("ssh-ed25519").string(point).finish();
    // The same number twice: a reader of an encrypted file compares them to detect a wrong passphrase.
    const check = random(4);
    const secret = new Writer(256).raw(check).raw(check).text("ssh-ed25519").string(point);
    secret.string(concat(seed, point)).text(comment);
    const unpadded = secret.finish();
    const padding = Uint8Array.from(
      { length: (blockSize - (unpadded.length % blockSize)) % blockSize },
      (_, i) => i + 1,
    );
    const file = new Writer(512).raw(utf8(magic)).text("none").text("none").text("").uint32(1);
    const base64 = toBase64(file.string(publicKey).string(concat(unpadded, padding)).finish());
    const lines = base64.match(/.{1,70}/g) ?? [];
    return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ""].join("\n");
  };
}

function damaged(): SshError {
  return new SshError("key", `${expected}, got a damaged or truncated file`);
}

/** Returns the text between the BEGIN and END lines, without white space. */
function unwrap(text: string): string {
  const match = new RegExp(`^\\s*-----BEGIN ${label}-----\\s([^-]*)-----END ${label}-----\\s*$`).exec(text);
  if (match?.[1] === undefined) throw otherFormat(text);
  return match[1].replace(/\s+/g, "");
}

/** Names the format of the text and the command that converts it. */
function otherFormat(text: string): SshError {
  const convert = "convert a copy with: ssh-keygen -p -f FILE";
  const [, found] = /-----BEGIN ([A-Z0-9 ]{1,40})-----/.exec(text) ?? [];
  if (found === label) return damaged();
  if (found?.endsWith("PUBLIC KEY")) return new SshError("key", `${expected}, got a public key`);
  if (found?.endsWith("PRIVATE KEY")) return new SshError("key", `${expected}, got a ${found} in PEM; ${convert}`);
  if (found !== undefined) return new SshError("key", `${expected}, got a ${found}`);
  const [, version] = /^\s*PuTTY-User-Key-File-(\d)/.exec(text) ?? [];
  if (version !== undefined) {
    const puttygen =
      "convert it with: puttygen FILE -O private-openssh-new -o NEWFILE (ssh-keygen -p -f FILE cannot read it)";
    return new SshError("key", `${expected}, got a PuTTY key (PPK version ${version}); ${puttygen}`);
  }
  if (/^\s*(?:ssh|ecdsa|sk)-\S+\s+AAAA/.test(text)) return new SshError("key", `${expected}, got a public key`);
  if (text.trim() === "") return new SshError("key", `${expected}, got an empty text`);
  const path = /[\r\n]/.test(text.trim())
    ? ""
    : " of one line; if it is the path of a file, pass the content of the file";
  return new SshError("key", `${expected}, got other text${path}`);
}

/** PROTOCOL.key sections 1 and 2. */
function openEnvelope(bytes: Bytes): { publicKey: Bytes; secret: Bytes } {
  const reader = new Reader(bytes, "private key");
  if (!equal(reader.raw(magic.length), utf8(magic)))
    throw new SshError("key", `${expected}, got another version of the format`);
  const cipher = reader.text();
  const kdf = reader.text();
  const kdfOptions = reader.string();
  if (cipher !== "none" || kdf !== "none") {
    const how = isName(cipher) && isName(kdf) ? ` (${cipher} with ${kdf})` : "";
    const remove = "remove the passphrase of a copy with: ssh-keygen -p -f FILE";
    throw new SshError(
      "key",
      `expected an unencrypted key, got a key that is encrypted with a passphrase${how}; ${remove}`,
    );
  }
  if (kdfOptions.length > 0)
    throw new SshError("key", "expected no key derivation options in an unencrypted key, got some");
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

/** The padding is 1, 2, 3 … up to the block size. */
function checkPadding(size: number, padding: Bytes): void {
  if (size % blockSize === 0 && padding.length < blockSize && padding.every((byte, i) => byte === i + 1)) return;
  throw new SshError("key", "expected padding 1, 2, 3 … to a multiple of 8 bytes, got other padding");
}
