/** Private keys in the OpenSSH format (OpenSSH PROTOCOL.key), without a passphrase. @module */
import { type Bytes, equal, expectType, fromBase64, fromUtf8, Reader, SshError, utf8 } from "@postern/wire";
import { readKeyPair } from "./key-pair.ts";
import type { PrivateKey, PublicHalf } from "./key-types.ts";
import { isName } from "./public-key.ts";

export const label = "OPENSSH PRIVATE KEY";
// No template literal: bundlers keep it even if no key is parsed.
const expected = "expected a private key in the OpenSSH format (-----BEGIN OPENSSH PRIVATE KEY-----)";
export const magic: string = "openssh-key-v1\0";
/** The block size of an unencrypted file. */
export const blockSize = 8;
/** Characters or bytes. An RSA key of 16384 bits has 13 KB of text, a PKCS #12 file may have certificates, too. */
const maxSize = 65_536;

/** Creates a provider's `parsePrivateKey`. */
export function createPrivateKeyParser(publicHalf: PublicHalf): (text: string) => PrivateKey {
  return (text) => {
    expectType("the text of a private key", text, "string");
    checkSize(text);
    const base64 = unwrap(text);
    try {
      const { cipher, kdf, publicKey, secret, tag } = openEnvelope(fromBase64(base64));
      if (cipher !== "none") throw encrypted(cipher, kdf);
      if (tag.length > 0) throw damaged();
      return readSecret(secret, publicKey, publicHalf, blockSize);
    } catch (error) {
      // A damaged length can make any field contain secret bytes. So our messages contain only names and the public
      // key's size, and messages of the reader, which contain lengths, are replaced.
      if (error instanceof SshError && error.code !== "protocol") throw error;
      throw damaged();
    }
  };
}

/**
 * Returns whether a private key needs `readPrivateKey`, because it is encrypted or in another format. Otherwise
 * `parsePrivateKey` reads it, or knows why nothing can.
 * @throws SshError `limit` if the file is too large
 */
export function needsKeyFileReader(file: string | Bytes): boolean {
  if (typeof file !== "string") {
    expectType("a private key", file, "Uint8Array");
    checkSize(file);
    // DER begins with a SEQUENCE.
    return file[0] === 0x30 || needsKeyFileReader(fromUtf8(file));
  }
  checkSize(file);
  // \s includes the byte order mark.
  if (/^\s*(?:PuTTY-User-Key-File-|\{)|-----BEGIN (?:ENCRYPTED |RSA |EC )?PRIVATE KEY-----/.test(file)) return true;
  try {
    return openEnvelope(fromBase64(unwrap(file))).cipher !== "none";
  } catch {
    return false;
  }
}

function checkSize({ length }: { readonly length: number }): void {
  if (length > maxSize)
    throw new SshError("limit", `expected a private key file of at most ${maxSize} bytes, got ${length}`);
}

function encrypted(cipher: string, kdf: string): SshError {
  const how = isName(cipher) && isName(kdf) ? ` (${cipher} with ${kdf})` : "";
  const remove = "read it with readPrivateKey, or remove the passphrase of a copy with: ssh-keygen -p -f FILE";
  return new SshError(
    "passphrase",
    `expected an unencrypted key, got a key that is encrypted with a passphrase${how}; ${remove}`,
  );
}

function damaged(): SshError {
  return new SshError("key", `${expected}, got a damaged or truncated file`);
}

/** Returns the text between the BEGIN and END lines, without white space. */
export function unwrap(text: string): string {
  const match = new RegExp(`^\\s*-----BEGIN ${label}-----\\s([^-]*)-----END ${label}-----\\s*$`).exec(text);
  if (match?.[1] === undefined) throw otherFormat(text);
  return match[1].replace(/\s+/g, "");
}

/** Names the format of the text, and how to read it. */
function otherFormat(text: string): SshError {
  const [, found] = /-----BEGIN ([A-Z0-9 ]{1,40})-----/.exec(text) ?? [];
  if (found === label) return damaged();
  if (found?.endsWith("PUBLIC KEY")) return new SshError("key", `${expected}, got a public key`);
  const isPutty = /^\s*PuTTY-User-Key-File-\d/.test(text);
  if (isPutty || found?.endsWith("PRIVATE KEY")) {
    const format = isPutty ? "PuTTY key" : `${found} in PEM`;
    return new SshError("unsupported", `${expected}, got a ${format}; readPrivateKey reads more formats`);
  }
  if (found !== undefined) return new SshError("key", `${expected}, got a ${found}`);
  if (/^\s*(?:ssh|ecdsa|sk)-\S+\s+AAAA/.test(text)) return new SshError("key", `${expected}, got a public key`);
  if (text.trim() === "") return new SshError("key", `${expected}, got an empty text`);
  const path = /[\r\n]/.test(text.trim())
    ? ""
    : " of one line; if it is the path of a file, pass the content of the file";
  return new SshError("key", `${expected}, got other text${path}`);
}

/** A file before its secret part is decrypted. Byte fields are views. */
export interface Envelope {
  readonly cipher: string;
  readonly kdf: string;
  readonly kdfOptions: Bytes;
  readonly publicKey: Bytes;
  readonly secret: Bytes;
  /** the bytes after the last field: the tag of an AEAD, otherwise none */
  readonly tag: Bytes;
}

/**
 * Reads PROTOCOL.key sections 1 and 2.
 * @throws SshError `key`, or `protocol` if a length is wrong
 */
export function openEnvelope(bytes: Bytes): Envelope {
  const reader = new Reader(bytes, "private key");
  if (!equal(reader.raw(magic.length), utf8(magic)))
    throw new SshError("key", `${expected}, got another version of the format`);
  const cipher = reader.text();
  const kdf = reader.text();
  const kdfOptions = reader.string();
  if ((cipher === "none") !== (kdf === "none") || (cipher === "none" && kdfOptions.length > 0))
    throw new SshError("key", "expected a cipher and a key derivation, or neither, got one of them");
  if (reader.uint32() !== 1) throw new SshError("key", "expected one key in the file, got more or none");
  return { cipher, kdf, kdfOptions, publicKey: reader.string(), secret: reader.string(), tag: reader.rest() };
}

/**
 * Returns the public key in the text of an OpenSSH key file, which is readable without the passphrase.
 * @throws SshError `key` for other text
 */
export function publicKeyIn(text: string): Bytes {
  return openEnvelope(fromBase64(unwrap(text))).publicKey;
}

/** Reads PROTOCOL.key section 3. The size is a multiple of the cipher's block size. */
export function readSecret(secret: Bytes, publicKey: Bytes, publicHalf: PublicHalf, blockSize: number): PrivateKey {
  const reader = new Reader(secret, "private key");
  const checks = [reader.uint32(), reader.uint32()];
  if (checks[0] !== checks[1]) throw new SshError("key", "expected equal check numbers, got a damaged key");
  const pair = readKeyPair(reader, publicKey, publicHalf);
  const comment = reader.text();
  checkPadding(secret.length, reader.rest(), blockSize);
  return { ...pair, comment };
}

/** The padding is 1, 2, 3 … up to the block size. */
function checkPadding(size: number, padding: Bytes, blockSize: number): void {
  if (size % blockSize === 0 && padding.length < blockSize && padding.every((byte, i) => byte === i + 1)) return;
  throw new SshError("key", `expected padding 1, 2, 3 … to a multiple of ${blockSize} bytes, got other padding`);
}
