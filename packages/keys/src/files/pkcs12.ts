/** PKCS #12 files (RFC 7292), `.pfx` or `.p12`, whose key is encrypted by PBES2. The MAC is verified first. @module */
import { type Bytes, concat, equal, SshError } from "@postern/wire";
import type { AnyPair } from "../key-pair.ts";
import type { PublicHalf } from "../key-types.ts";
import type { KeyFileCrypto, KeyFileHash } from "./crypto.ts";
import { DerReader } from "./der.ts";
import { type AskPassphrase, unsupported, wrongPassphrase } from "./failures.ts";
import { checkCost, KeyFileLimits } from "./limits.ts";
import { decryptPbes2 } from "./pbes2.ts";
import { checkDecrypted, readPkcs8 } from "./pkcs8.ts";

const convert = "openssl pkcs12 -legacy -in FILE -nocerts -out NEWFILE";
const data = "1.2.840.113549.1.7.1";
const encryptedData = "1.2.840.113549.1.7.6";
const keyBag = "1.2.840.113549.1.12.10.1.1";
const shroudedKeyBag = "1.2.840.113549.1.12.10.1.2";

/** Hashes of the MAC, with the block size that the key derivation uses. */
const hashes: Readonly<Record<string, readonly [KeyFileHash, number]>> = {
  "1.3.14.3.2.26": ["sha1", 64],
  "2.16.840.1.101.3.4.2.1": ["sha256", 64],
  "2.16.840.1.101.3.4.2.2": ["sha384", 128],
  "2.16.840.1.101.3.4.2.3": ["sha512", 128],
};

/** Reads the private key. Certificates are skipped. */
export async function readPkcs12(
  der: Bytes,
  ask: AskPassphrase,
  publicHalf: PublicHalf,
  crypto: KeyFileCrypto,
): Promise<AnyPair> {
  const file = new DerReader(der);
  const pfx = file.nested();
  file.end();
  pfx.number(); // its version, from which `kindOfDer` knows the format
  const outer = pfx.nested();
  const type = outer.oid();
  if (type !== data) throw unsupported(`a PKCS #12 file whose integrity is protected by ${type}`, convert);
  const content = outer.nested(0xa0);
  outer.end();
  const authSafe = content.octets();
  content.end();
  if (pfx.tag === undefined)
    throw unsupported("a PKCS #12 file without a MAC", "openssl pkcs12 -in FILE -nocerts -out NEWFILE");
  const verify = readMac(pfx.nested(), crypto);
  pfx.end();
  const passphrase = await ask("PKCS #12");
  await verify(passphrase, authSafe);
  const known: AskPassphrase = () => Promise.resolve(passphrase);
  const parts = readContents(new DerReader(authSafe));
  let bags = parts.plain.flatMap((bytes) => keyBags(bytes));
  // Usually certificates only, so their key derivation is skipped.
  if (bags.length === 0) {
    for (const { algorithm, sealed } of parts.sealed) {
      bags = [...bags, ...keyBags(await decryptPbes2(algorithm, sealed, known, crypto, convert))];
    }
  }
  const [bag, second] = bags;
  if (bag === undefined) throw new SshError("key", "expected a private key in the PKCS #12 file, got none");
  if (second !== undefined) throw new SshError("key", "expected one private key in the file, got several");
  if (bag.type === keyBag) return readPkcs8(bag.value, publicHalf);
  const info = new DerReader(bag.value).nested();
  const algorithm = info.nested();
  const text = await decryptPbes2(algorithm, info.octets(), known, crypto, convert);
  info.end();
  checkDecrypted(text);
  return readPkcs8(text, publicHalf);
}

/** Reads MacData (RFC 7292 section 4) and returns a function that checks it. */
function readMac(mac: DerReader, crypto: KeyFileCrypto): (passphrase: Bytes, covered: Bytes) => Promise<void> {
  const info = mac.nested();
  const algorithm = info.nested();
  const name = algorithm.oid();
  const known = hashes[name];
  if (known === undefined) throw unsupported(`a PKCS #12 file with the MAC ${name}`, convert);
  const [hash, blockSize] = known;
  algorithm.optionalNull();
  algorithm.end();
  const expected = info.octets();
  info.end();
  const salt = mac.octets();
  const iterations = mac.tag === undefined ? 1 : mac.number();
  mac.end();
  checkCost("iterations of the PKCS #12 key derivation", iterations, KeyFileLimits.pkcs12Iterations);
  return async (passphrase, covered) => {
    const key = await deriveMacKey(hash, blockSize, passphrase, salt, iterations, crypto);
    if (!equal(crypto.hmac(hash, key, covered), expected)) throw wrongPassphrase();
  };
}

/** RFC 7292 appendix B.2 with ID 3, for a key as long as the hash: one block. */
async function deriveMacKey(
  hash: KeyFileHash,
  blockSize: number,
  passphrase: Bytes,
  salt: Bytes,
  iterations: number,
  crypto: KeyFileCrypto,
): Promise<Bytes> {
  const fill = (bytes: Bytes) =>
    Uint8Array.from(
      { length: Math.ceil(bytes.length / blockSize) * blockSize },
      (_, i) => bytes[i % bytes.length] ?? 0,
    );
  let key = crypto.digest(hash, concat(new Uint8Array(blockSize).fill(3), fill(salt), fill(bmpString(passphrase))));
  for (let i = 1; i < iterations; i++) {
    key = crypto.digest(hash, key);
    if (i % 8192 === 0) await new Promise((resolve) => setTimeout(resolve));
  }
  return key;
}

/** UTF-16, big-endian, with two zero bytes at the end (RFC 7292 appendix B.1). */
function bmpString(passphrase: Bytes): Bytes {
  const text = new TextDecoder().decode(passphrase);
  const bytes = new Uint8Array(2 * text.length + 2);
  for (let i = 0; i < text.length; i++) new DataView(bytes.buffer).setUint16(2 * i, text.charCodeAt(i));
  return bytes;
}

interface Contents {
  readonly plain: readonly Bytes[];
  readonly sealed: readonly { readonly algorithm: DerReader; readonly sealed: Bytes }[];
}

/** Reads an AuthenticatedSafe: a list of ContentInfo (RFC 7292 section 4.1). */
function readContents(file: DerReader): Contents {
  const list = file.nested();
  file.end();
  const contents = { plain: [] as Bytes[], sealed: [] as { algorithm: DerReader; sealed: Bytes }[] };
  while (list.tag !== undefined) {
    const info = list.nested();
    const type = info.oid();
    const inner = info.nested(0xa0);
    info.end();
    if (type === data) contents.plain.push(inner.octets());
    else if (type === encryptedData) contents.sealed.push(readEncryptedData(inner));
    else throw unsupported(`a PKCS #12 file with content of the type ${type}`, convert);
    inner.end();
  }
  // Each costs a key derivation.
  if (contents.sealed.length > 2)
    throw new SshError("limit", "expected a PKCS #12 file with at most 2 encrypted parts, got more");
  return contents;
}

/** EncryptedData (RFC 5652 section 8). */
function readEncryptedData(reader: DerReader): { algorithm: DerReader; sealed: Bytes } {
  const encrypted = reader.nested();
  encrypted.number();
  const info = encrypted.nested();
  encrypted.end();
  info.oid();
  const algorithm = info.nested();
  // [0] IMPLICIT OCTET STRING
  const sealed = info.content(0x80);
  info.end();
  return { algorithm, sealed };
}

/** Returns the bags of a SafeContents that contain keys (RFC 7292 section 4.2). */
function keyBags(bytes: Bytes): { type: string; value: Bytes }[] {
  const file = new DerReader(bytes);
  const list = file.nested();
  file.end();
  const found: { type: string; value: Bytes }[] = [];
  while (list.tag !== undefined) {
    const bag = list.nested();
    const type = bag.oid();
    const value = bag.content(0xa0);
    if (bag.tag !== undefined) bag.skip();
    bag.end();
    if (type === keyBag || type === shroudedKeyBag) found.push({ type, value });
  }
  return found;
}
