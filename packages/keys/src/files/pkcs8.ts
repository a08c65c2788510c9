/** Private keys in DER: PKCS #8 (RFC 5958), PKCS #1 (RFC 8017), SEC 1 (RFC 5915), Ed25519 (RFC 8410). @module */
import { type NistCurve, nistp256, nistp384, nistp521 } from "@postern/crypto";
import type { Bytes } from "@postern/wire";
import type { AnyPair } from "../key-pair.ts";
import type { PublicHalf } from "../key-types.ts";
import type { KeyFileCrypto } from "./crypto.ts";
import { DerReader, DerTag } from "./der.ts";
import { type AskPassphrase, unsupported, wrongPassphrase } from "./failures.ts";
import { ecdsaPair, ed25519Pair, rsaPair } from "./pairs.ts";
import { decryptPbes2 } from "./pbes2.ts";

const convertPkcs8 = "openssl pkcs8 -topk8 -v2 aes-256-cbc -in FILE -out NEWFILE";

/** RFC 5480 section 2.1.1.1 */
const curves: Readonly<Record<string, NistCurve>> = {
  "1.2.840.10045.3.1.7": nistp256,
  "1.3.132.0.34": nistp384,
  "1.3.132.0.35": nistp521,
};

/** Reads a PrivateKeyInfo (RFC 5958 section 2). */
export function readPkcs8(der: Bytes, publicHalf: PublicHalf): AnyPair {
  const file = new DerReader(der);
  const info = file.nested();
  file.end();
  const version = info.number();
  if (version > 1) throw unsupported(`version ${version} of PKCS #8`);
  const algorithm = info.nested();
  const name = algorithm.oid();
  switch (name) {
    case "1.3.101.112": {
      algorithm.end();
      const key = info.nestedOctets();
      const seed = key.octets();
      key.end();
      return ed25519Pair(seed, readEnd(info), publicHalf);
    }
    case "1.2.840.10045.2.1": {
      const curve = curveOf(algorithm.oid());
      algorithm.end();
      const key = info.nestedOctets();
      readEnd(info);
      return readSec1Body(key, curve, publicHalf);
    }
    case "1.2.840.113549.1.1.1": {
      algorithm.optionalNull();
      algorithm.end();
      const key = info.nestedOctets();
      readEnd(info);
      return readPkcs1Body(key, publicHalf);
    }
    default:
      throw unsupported(`a key of type ${name} in PKCS #8; Postern reads Ed25519, ECDSA and RSA`);
  }
}

/** Reads an EncryptedPrivateKeyInfo (RFC 5958 section 3). */
export async function readEncryptedPkcs8(
  der: Bytes,
  ask: AskPassphrase,
  publicHalf: PublicHalf,
  crypto: KeyFileCrypto,
): Promise<AnyPair> {
  const file = new DerReader(der);
  const info = file.nested();
  file.end();
  const algorithm = info.nested();
  const data = info.octets();
  info.end();
  const text = await decryptPbes2(algorithm, data, ask, crypto, convertPkcs8);
  checkDecrypted(text);
  return readPkcs8(text, publicHalf);
}

/**
 * One wrong passphrase in 256 yields correct padding, so the text must also be one sequence that starts with a version.
 * @throws SshError `passphrase`
 */
export function checkDecrypted(text: Bytes): void {
  try {
    const file = new DerReader(text);
    file.nested().number();
    file.end();
  } catch {
    throw wrongPassphrase();
  }
}

/** Reads an RSAPrivateKey (RFC 8017 appendix A.1.2). */
export function readPkcs1(der: Bytes, publicHalf: PublicHalf): AnyPair {
  return readPkcs1Body(new DerReader(der), publicHalf);
}

/** Reads an ECPrivateKey (RFC 5915 section 3). It names its curve. */
export function readSec1(der: Bytes, publicHalf: PublicHalf): AnyPair {
  return readSec1Body(new DerReader(der), undefined, publicHalf);
}

function readPkcs1Body(file: DerReader, publicHalf: PublicHalf): AnyPair {
  const key = file.nested();
  file.end();
  if (key.number() !== 0) throw unsupported("an RSA key with more than two primes");
  const numbers = {
    modulus: key.integer(),
    exponent: key.integer(),
    privateExponent: key.integer(),
    prime1: key.integer(),
    prime2: key.integer(),
    exponent1: key.integer(),
    exponent2: key.integer(),
    coefficient: key.integer(),
  };
  key.end();
  return rsaPair(numbers, publicHalf);
}

function readSec1Body(file: DerReader, given: NistCurve | undefined, publicHalf: PublicHalf): AnyPair {
  const key = file.nested();
  file.end();
  if (key.number() !== 1) throw new RangeError("expected version 1");
  const scalar = key.octets();
  const named = readExplicit(key, 0, (parameters) => curveOf(parameters.oid()));
  const point = readExplicit(key, 1, (publicKey) => publicKey.bits());
  key.end();
  const curve = given ?? named;
  if (curve === undefined || (named !== undefined && named !== curve)) throw new RangeError("expected a curve");
  return ecdsaPair(curve, scalar, point, publicHalf);
}

function curveOf(oid: string): NistCurve {
  const curve = curves[oid];
  if (curve === undefined) throw unsupported(`an ECDSA key on the curve ${oid}; Postern reads nistp256, -384 and -521`);
  return curve;
}

/** Reads the optional attributes and public key at the end of a PrivateKeyInfo. */
function readEnd(info: DerReader): Bytes | undefined {
  if (info.tag === 0xa0) info.skip();
  if (info.tag !== 0x81) {
    info.end();
    return undefined;
  }
  // An implicitly tagged BIT STRING: the first byte counts the unused bits.
  const bits = info.content(0x81);
  info.end();
  if (bits[0] !== 0) throw new RangeError("expected whole bytes");
  return bits.subarray(1);
}

/** Reads an optional element with an explicit tag. */
function readExplicit<T>(reader: DerReader, tag: number, read: (inner: DerReader) => T): T | undefined {
  if (reader.tag !== 0xa0 + tag) return undefined;
  const inner = reader.nested(0xa0 + tag);
  const value = read(inner);
  inner.end();
  return value;
}

/** Returns the format of a binary file. */
export function kindOfDer(der: Bytes): "pkcs12" | "pkcs8" | "encrypted" | "pkcs1" | "sec1" {
  const file = new DerReader(der).nested();
  if (file.tag === DerTag.SEQUENCE) return "encrypted";
  const version = file.number();
  if (version === 3) return "pkcs12";
  if (file.tag === DerTag.SEQUENCE) return "pkcs8";
  return file.tag === DerTag.OCTET_STRING ? "sec1" : "pkcs1";
}
