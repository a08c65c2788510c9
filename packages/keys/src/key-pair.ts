/** The two halves of a key pair, and that they belong together. @module */
import { checkPointForm, checkRsaKey, isScalar, type NistCurve, toBigInt } from "@postern/crypto/platform";
import { equal, quote, type Reader, SshError, Writer } from "@postern/wire";
import type { EcdsaPrivateKey, Ed25519PrivateKey, PrivateKey, RsaPrivateKey } from "./private-key.ts";
import type { PublicHalf } from "./public-half.ts";
import { curveOf } from "./public-key.ts";

type Pair<K extends PrivateKey> = Omit<K, "comment">;

/** Any pair; a union of the three, not of what they share. */
export type AnyPair = Pair<Ed25519PrivateKey> | Pair<EcdsaPrivateKey> | Pair<RsaPrivateKey>;

/**
 * Reads a key type and the private fields of that type (the form of SSH_AGENTC_ADD_IDENTITY, PROTOCOL.key section 3).
 * @throws SshError `key` when the type is another, or the halves do not belong together
 */
export function readKeyPair(reader: Reader, publicHalf: PublicHalf): AnyPair {
  const type = reader.text();
  if (type === "ssh-ed25519") return readEd25519(reader, publicHalf);
  if (type === "ssh-rsa") return readRsa(reader);
  const curve = curveOf(type);
  if (curve) return readEcdsa(reader, curve, publicHalf);
  throw new SshError("key", `expected an Ed25519, ECDSA or RSA key, got one of type ${quote(type, 64)}`);
}

function readEd25519(reader: Reader, publicHalf: PublicHalf): Pair<Ed25519PrivateKey> {
  const point = reader.string();
  const both = reader.string();
  if (point.length !== 32 || both.length !== 64) {
    throw new SshError("key", `expected Ed25519 keys of 32 and 64 bytes, got ${point.length} and ${both.length}`);
  }
  const seed = both.subarray(0, 32);
  if (!equal(both.subarray(32), point) || !equal(publicHalf.ed25519(seed), point)) throw strangers();
  const publicKey = new Writer().text("ssh-ed25519").string(point).finish();
  return { type: "ssh-ed25519", publicKey, point, seed };
}

function readEcdsa(reader: Reader, curve: NistCurve, publicHalf: PublicHalf): Pair<EcdsaPrivateKey> {
  const name = reader.text();
  if (name !== curve.name) throw new SshError("key", `expected the curve ${curve.name}, got ${quote(name, 64)}`);
  const point = reader.string();
  checkPointForm(curve, point, "key");
  const short = reader.mpint();
  if (short.length > curve.size || !isScalar(curve, short)) {
    throw new SshError("key", `expected a private scalar of ${curve.name}, got one out of range`);
  }
  const scalar = new Uint8Array(curve.size);
  scalar.set(short, curve.size - short.length);
  if (!equal(publicHalf.ecdsa(curve, scalar), point)) throw strangers();
  const type = `ecdsa-sha2-${curve.name}` as const;
  const publicKey = new Writer().text(type).text(curve.name).string(point).finish();
  return { type, publicKey, curve, point, scalar };
}

function readRsa(reader: Reader): Pair<RsaPrivateKey> {
  const modulus = reader.mpint();
  const exponent = reader.mpint();
  checkRsaKey({ modulus, exponent });
  const privateExponent = reader.mpint();
  const coefficient = reader.mpint();
  const prime1 = reader.mpint();
  const prime2 = reader.mpint();
  const publicKey = new Writer().text("ssh-rsa").mpint(exponent).mpint(modulus).finish();
  const pair: Pair<RsaPrivateKey> = {
    type: "ssh-rsa",
    publicKey,
    modulus,
    exponent,
    privateExponent,
    coefficient,
    prime1,
    prime2,
  };
  if (!belongTogether(pair)) throw strangers();
  return pair;
}

/** RFC 8017 section 3.2. A pair that breaks these rules would give away a prime with its first signature. */
function belongTogether(pair: Pair<RsaPrivateKey>): boolean {
  const p = toBigInt(pair.prime1);
  const q = toBigInt(pair.prime2);
  if (p < 2n || q < 2n || p * q !== toBigInt(pair.modulus)) return false;
  const product = toBigInt(pair.exponent) * toBigInt(pair.privateExponent);
  return product % (p - 1n) === 1n && product % (q - 1n) === 1n && (toBigInt(pair.coefficient) * q) % p === 1n;
}

function strangers(): SshError {
  return new SshError("key", "expected the two halves of one key pair, got halves of different ones");
}
