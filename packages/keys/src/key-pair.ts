/** Reads a key pair and checks that its halves belong together. @module */
import { checkRsaKey, isScalar, type NistCurve, toBigInt } from "@postern/crypto";
import { type Bytes, equal, Reader, SshError, Writer } from "@postern/wire";
import type { EcdsaPrivateKey, Ed25519PrivateKey, PrivateKey, PublicHalf, RsaPrivateKey } from "./key-types.ts";
import { curveOf, isName } from "./public-key.ts";

type Pair<K extends PrivateKey> = Omit<K, "comment">;

/** A key pair of any type. Written out, because `Omit` of a union keeps only the shared fields. */
export type AnyPair = Pair<Ed25519PrivateKey> | Pair<EcdsaPrivateKey> | Pair<RsaPrivateKey>;

/**
 * Reads a key type and its private fields, as SSH_AGENTC_ADD_IDENTITY sends them (PROTOCOL.key section 3).
 * Error messages name the type and size of the public key, and contain nothing that `reader` reads.
 * @throws SshError `unsupported` for another key type, `key` if the halves do not belong together
 */
export function readKeyPair(reader: Reader, publicKey: Bytes, publicHalf: PublicHalf): AnyPair {
  const publicReader = new Reader(publicKey, "public key");
  const type = publicReader.text();
  const curve = curveOf(type);
  if (curve === undefined && type !== "ssh-ed25519" && type !== "ssh-rsa") {
    const got = isName(type) ? `a key of type ${type}` : "a key of another type";
    throw new SshError("unsupported", `expected an Ed25519, ECDSA or RSA key, got ${got}`);
  }
  if (type === "ssh-rsa") {
    const exponent = publicReader.mpint();
    const modulus = publicReader.mpint();
    publicReader.end();
    checkRsaKey({ exponent, modulus });
  }
  if (reader.text() !== type) throw mismatch();
  if (curve) return readEcdsa(reader, curve, publicKey, publicHalf);
  return type === "ssh-rsa" ? readRsa(reader, publicKey) : readEd25519(reader, publicKey, publicHalf);
}

function readEd25519(reader: Reader, publicKey: Bytes, publicHalf: PublicHalf): Pair<Ed25519PrivateKey> {
  const point = reader.string();
  expectEqual(publicKey, new Writer().text("ssh-ed25519").string(point));
  const both = reader.string();
  const seed = both.subarray(0, 32);
  if (point.length !== 32 || both.length !== 64) throw unrelatedHalves();
  if (!equal(both.subarray(32), point) || !equal(publicHalf.ed25519(seed), point)) throw unrelatedHalves();
  return { type: "ssh-ed25519", publicKey, point, seed };
}

function readEcdsa(reader: Reader, curve: NistCurve, publicKey: Bytes, publicHalf: PublicHalf): Pair<EcdsaPrivateKey> {
  const type = `ecdsa-sha2-${curve.name}` as const;
  const name = reader.text();
  const point = reader.string();
  expectEqual(publicKey, new Writer().text(type).text(name).string(point));
  const short = reader.mpint();
  if (name !== curve.name || short.length > curve.size || !isScalar(curve, short)) throw unrelatedHalves();
  const scalar = new Uint8Array(curve.size);
  scalar.set(short, curve.size - short.length);
  if (!equal(publicHalf.ecdsa(curve, scalar), point)) throw unrelatedHalves();
  return { type, publicKey, curve, point, scalar };
}

function readRsa(reader: Reader, publicKey: Bytes): Pair<RsaPrivateKey> {
  const modulus = reader.mpint();
  const exponent = reader.mpint();
  expectEqual(publicKey, new Writer().text("ssh-rsa").mpint(exponent).mpint(modulus));
  const pair: Pair<RsaPrivateKey> = {
    type: "ssh-rsa",
    publicKey,
    modulus,
    exponent,
    privateExponent: reader.mpint(),
    coefficient: reader.mpint(),
    prime1: reader.mpint(),
    prime2: reader.mpint(),
  };
  if (!belongTogether(pair)) throw unrelatedHalves();
  return pair;
}

/** The file contains the public key twice. */
function expectEqual(publicKey: Bytes, repeated: Writer): void {
  if (!equal(repeated.finish(), publicKey)) throw mismatch();
}

function mismatch(): SshError {
  return new SshError("key", "expected the public key that belongs to the private key, got another");
}

/** RFC 8017 section 3.2. With inconsistent numbers, the first signature could reveal a prime. */
function belongTogether(pair: Pair<RsaPrivateKey>): boolean {
  const p = toBigInt(pair.prime1);
  const q = toBigInt(pair.prime2);
  if (p < 2n || q < 2n || p * q !== toBigInt(pair.modulus)) return false;
  const product = toBigInt(pair.exponent) * toBigInt(pair.privateExponent);
  return product % (p - 1n) === 1n && product % (q - 1n) === 1n && (toBigInt(pair.coefficient) * q) % p === 1n;
}

function unrelatedHalves(): SshError {
  return new SshError("key", "expected the two halves of one key pair, got halves of different pairs");
}
