/** Writes DER, and key files in DER and PEM that no program would write. */
import { loadKeyFileCrypto } from "@postern/noble";
import { type Bytes, concat, fromHex, toBase64 } from "@postern/wire";

const crypto = await loadKeyFileCrypto();

/** Writes an element with a length in its shortest form. */
export function shortest(tag: number, ...parts: readonly Bytes[]): Bytes {
  const content = concat(...parts);
  const size = content.length;
  if (size < 0x80) return concat(Uint8Array.of(tag, size), content);
  if (size < 0x100) return concat(Uint8Array.of(tag, 0x81, size), content);
  return concat(Uint8Array.of(tag, 0x82, size >> 8, size & 0xff), content);
}

export const sequence = (...parts: readonly Bytes[]): Bytes => shortest(0x30, ...parts);
export const octets = (...parts: readonly Bytes[]): Bytes => shortest(0x04, ...parts);
export const oid = (hex: string): Bytes => shortest(0x06, fromHex(hex));

export function integer(value: number): Bytes {
  const hex = value.toString(16);
  const even = hex.length % 2 === 0 ? hex : `0${hex}`;
  return shortest(0x02, fromHex(/^[89a-f]/.test(even) ? `00${even}` : even));
}

export const pem = (label: string, bytes: Bytes): string =>
  `-----BEGIN ${label}-----\n${toBase64(bytes)}\n-----END ${label}-----\n`;

/** The AlgorithmIdentifier of AES-256-CBC. */
export const aes256Cbc = sequence(oid("60864801650304012a"), octets(new Uint8Array(16)));

/** An EncryptedPrivateKeyInfo by PBES2 with a key derivation, a cipher and encrypted data. */
export function encryptedBy(kdf: Bytes, cipher = aes256Cbc, data: Bytes = new Uint8Array(64)): string {
  const pbes2 = sequence(oid("2a864886f70d01050d"), sequence(kdf, cipher));
  return pem("ENCRYPTED PRIVATE KEY", sequence(pbes2, octets(data)));
}

const data = "2a864886f70d010701";

/** A ContentInfo that is not encrypted. */
export const plainContent = (content: Bytes, type = data): Bytes =>
  sequence(oid(type), shortest(0xa0, octets(content)));

/** A PKCS #12 file with an empty passphrase, whose MAC is of SHA-256 and one iteration. */
export function pkcs12(parts: readonly Bytes[], { outer = data, macHash = "608648016503040201" } = {}): Bytes {
  const contents = sequence(...parts);
  const salt = new Uint8Array(8);
  const block = (bytes: Bytes) => Uint8Array.from({ length: 64 }, (_, i) => bytes[i % bytes.length] ?? 0);
  // RFC 7292 appendix B.2
  const key = crypto.digest("sha256", concat(new Uint8Array(64).fill(3), block(salt), block(new Uint8Array(2))));
  const tag = crypto.hmac("sha256", key, contents);
  const mac = sequence(sequence(sequence(oid(macHash)), octets(tag)), octets(salt), integer(1));
  return sequence(integer(3), plainContent(contents, outer), mac);
}
