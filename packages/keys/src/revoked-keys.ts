/** Lists of revoked keys: public keys as text, and key revocation lists (OpenSSH PROTOCOL.krl). @module */
import type { Certificate, Hash } from "@postern/crypto";
import { type Bytes, equal, expectType, fromUtf8, Reader, SshError, toHex, utf8 } from "@postern/wire";
import { certifiedKey, isCertificate, parseCertificate } from "./certificate.ts";
import { describePublicKey, parsePublicKey } from "./public-key.ts";

/** Revoked keys. */
export interface RevokedKeys {
  /**
   * Returns why a key may not be used, such as `the key is revoked`, or `undefined`. A certificate is also revoked by
   * its certified key, its CA, and in a KRL by its serial number or key ID.
   */
  reason(publicKey: Bytes): string | undefined;
}

const magic = /* @__PURE__ */ utf8("SSHKRL\n\0");
/** 16 MiB: a KRL of 400,000 keys by their fingerprints. */
const maxBytes = 2 ** 24;
/** PROTOCOL.krl: the sections, and those within a section of certificates. */
const Section = { certificates: 1, explicitKey: 2, sha1: 3, signature: 4, sha256: 5, extension: 255 } as const;
const CertSection = { serialList: 0x20, serialRange: 0x21, serialBitmap: 0x22, keyId: 0x23, extension: 0x39 } as const;

/**
 * Parses a list of revoked keys: text with a public key per line, or the bytes of a KRL of `ssh-keygen -k`. The KRL's
 * own signatures are not verified, as in OpenSSH: protect the file. A KRL with SHA-1 fingerprints is refused.
 *
 * @param sha256 compares with fingerprints in a KRL
 * @throws SshError `key` for a malformed line or KRL, because a list that is read in part would accept revoked keys
 */
export function parseRevokedKeys(source: string | Bytes, sha256: Hash): RevokedKeys {
  const lists = new Lists(sha256);
  if (typeof source === "string") readText(source, lists);
  else {
    expectType("revoked keys", source, "Uint8Array");
    if (equal(source.subarray(0, magic.length), magic)) readKrl(source, lists);
    else readText(fromUtf8(source), lists);
  }
  return lists;
}

/** The certificates of one CA, or of any, that are revoked. */
interface RevokedCertificates {
  /** hexadecimal; empty for any CA */
  readonly authority: string;
  readonly keyIds: Set<string>;
  readonly matchers: ((serial: bigint) => boolean)[];
}

class Lists implements RevokedKeys {
  readonly #sha256: Hash;
  readonly keys = new Set<string>();
  readonly fingerprints = new Set<string>();
  readonly certificates: RevokedCertificates[] = [];

  constructor(sha256: Hash) {
    this.#sha256 = sha256;
  }

  reason(publicKey: Bytes): string | undefined {
    if (!isCertificate(publicKey)) return this.#hasKey(publicKey) ? "the key is revoked" : undefined;
    const certificate = parseCertificate(publicKey);
    if (this.#hasKey(certificate.publicKey)) return "the certified key is revoked";
    if (this.#hasKey(certificate.signatureKey)) return "the certificate's CA is revoked";
    return this.#hasCertificate(certificate) ? "the certificate is revoked" : undefined;
  }

  #hasKey(plain: Bytes): boolean {
    if (this.keys.has(toHex(plain))) return true;
    return this.fingerprints.size > 0 && this.fingerprints.has(toHex(this.#sha256.digest(plain)));
  }

  #hasCertificate({ signatureKey, keyId, serial }: Certificate): boolean {
    const signer = toHex(signatureKey);
    return this.certificates.some(({ authority, keyIds, matchers }) => {
      if (authority !== "" && authority !== signer) return false;
      // As in OpenSSH, zero means that the CA does not number its certificates.
      return keyIds.has(keyId) || (serial !== 0n && matchers.some((matches) => matches(serial)));
    });
  }
}

function readText(text: string, lists: Lists): void {
  if (text.length > maxBytes) throw tooLong(text.length);
  for (const [index, raw] of text.split(/\r\n|\r|\n/).entries()) {
    const line = raw.trim();
    if (line === "" || line.startsWith("#")) continue;
    try {
      const { blob } = parsePublicKey(line);
      lists.keys.add(toHex(certifiedKey(blob)));
    } catch (cause) {
      throw new SshError("key", `revoked keys, line ${index + 1}: ${(cause as Error).message}`, { cause });
    }
  }
}

function readKrl(bytes: Bytes, lists: Lists): void {
  if (bytes.length > maxBytes) throw tooLong(bytes.length);
  try {
    const reader = new Reader(bytes, "KRL");
    reader.raw(magic.length);
    const version = reader.uint32();
    if (version !== 1) throw new SshError("key", `expected a KRL of format version 1, got ${version}`);
    reader.raw(3 * 8); // its version, its date, flags
    reader.string(); // reserved
    reader.string(); // comment
    while (reader.remaining > 0) {
      const type = reader.byte();
      readSection(type, new Reader(reader.string(), "section of a KRL"), lists);
      // A signature follows its key, outside the section (PROTOCOL.krl section 6).
      if (type === Section.signature) reader.string();
    }
  } catch (error) {
    if (error instanceof SshError && error.code === "key") throw error;
    throw new SshError("key", `expected a well-formed KRL: ${(error as Error).message}`, { cause: error });
  }
}

function readSection(type: number, reader: Reader, lists: Lists): void {
  switch (type) {
    case Section.certificates:
      lists.certificates.push(readCertificates(reader));
      return;
    case Section.explicitKey:
      while (reader.remaining > 0) lists.keys.add(toHex(reader.string()));
      return;
    case Section.sha256:
      while (reader.remaining > 0) lists.fingerprints.add(toHex(readFingerprint(reader)));
      return;
    case Section.sha1:
      throw new SshError(
        "key",
        "expected a KRL with SHA-256 fingerprints, got SHA-1; make it again with: hash: SHA256:…",
      );
    case Section.signature:
      return;
    case Section.extension:
      readExtension(reader);
      return;
    default:
      throw new SshError("key", `expected a known section in a KRL, got type ${type}`);
  }
}

/** @throws SshError `key` for another length, because such a fingerprint would revoke nothing */
function readFingerprint(reader: Reader): Bytes {
  const digest = reader.string();
  if (digest.length === 32) return digest;
  throw new SshError("key", `expected a SHA-256 fingerprint of 32 bytes in a KRL, got ${digest.length}`);
}

function readCertificates(reader: Reader): RevokedCertificates {
  const key = reader.string();
  // A malformed CA key would match no certificate, and revoke nothing.
  if (key.length > 0) describePublicKey(key);
  const authority = toHex(key);
  reader.string(); // reserved
  const revoked: RevokedCertificates = { authority, keyIds: new Set(), matchers: [] };
  const { keyIds, matchers } = revoked;
  while (reader.remaining > 0) {
    const type = reader.byte();
    const section = new Reader(reader.string(), "section of a KRL");
    switch (type) {
      case CertSection.serialList: {
        const serials = new Set<bigint>();
        while (section.remaining > 0) serials.add(section.uint64());
        matchers.push((serial) => serials.has(serial));
        break;
      }
      case CertSection.serialRange: {
        const [least, most] = [section.uint64(), section.uint64()];
        section.end();
        if (least > most) throw new SshError("key", `expected a range of serial numbers, got ${least} to ${most}`);
        matchers.push((serial) => serial >= least && serial <= most);
        break;
      }
      case CertSection.serialBitmap: {
        const offset = section.uint64();
        const bitmap = section.mpint();
        section.end();
        matchers.push((serial) => serial >= offset && hasBit(bitmap, serial - offset));
        break;
      }
      case CertSection.keyId:
        while (section.remaining > 0) keyIds.add(section.text());
        break;
      case CertSection.extension:
        readExtension(section);
        break;
      default:
        throw new SshError("key", `expected a known section of certificates in a KRL, got type ${type}`);
    }
  }
  return revoked;
}

/** Bit 0 is the lowest bit of the last byte. */
function hasBit(bitmap: Bytes, bit: bigint): boolean {
  if (bit >= 8n * BigInt(bitmap.length)) return false;
  const index = Number(bit);
  return (((bitmap[bitmap.length - 1 - (index >> 3)] ?? 0) >> (index & 7)) & 1) === 1;
}

function readExtension(reader: Reader): void {
  const name = reader.text();
  if (reader.boolean())
    throw new SshError("key", `expected a KRL without critical extensions, got ${name.slice(0, 64)}`);
}

function tooLong(size: number): SshError {
  return new SshError("key", `expected revoked keys of at most ${maxBytes} bytes, got ${size}`);
}
