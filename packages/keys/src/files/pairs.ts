/** Builds key pairs from the numbers that other formats store. @module */
import { isScalar, type NistCurve, toBigInt } from "@postern/crypto";
import { type Bytes, concat, equal, Reader, Writer } from "@postern/wire";
import { type AnyPair, readKeyPair } from "../key-pair.ts";
import type { PublicHalf } from "../key-types.ts";
import { damaged } from "./failures.ts";

/** The numbers of an RSA key in the order of RFC 8017 appendix A.1.2. */
export interface RsaNumbers {
  readonly modulus: Bytes;
  readonly exponent: Bytes;
  readonly privateExponent: Bytes;
  readonly prime1: Bytes;
  readonly prime2: Bytes;
  readonly exponent1: Bytes;
  readonly exponent2: Bytes;
  readonly coefficient: Bytes;
}

/** @param point the public key, if the file contains it: the halves must belong together */
export function ed25519Pair(seed: Bytes, point: Bytes | undefined, publicHalf: PublicHalf): AnyPair {
  if (seed.length !== 32) throw damaged("Ed25519");
  const ours = point ?? publicHalf.ed25519(seed);
  const publicKey = new Writer().text("ssh-ed25519").string(ours).finish();
  const secret = new Writer(256).text("ssh-ed25519").string(ours).string(concat(seed, ours));
  return readKeyPair(new Reader(secret.finish(), "private key"), publicKey, publicHalf);
}

/** @param point compressed, uncompressed, or `undefined` if the file does not contain it */
export function ecdsaPair(curve: NistCurve, scalar: Bytes, point: Bytes | undefined, publicHalf: PublicHalf): AnyPair {
  const padded = new Uint8Array(curve.size);
  const [excess, used] = [Math.max(0, scalar.length - curve.size), scalar.slice(-curve.size)];
  padded.set(used, curve.size - used.length);
  if (scalar.subarray(0, excess).some((byte) => byte !== 0) || !isScalar(curve, padded)) throw damaged("ECDSA");
  const uncompressed = publicHalf.ecdsa(curve, padded);
  const isOurs = point === undefined || equal(point, uncompressed) || equal(point, compress(curve, uncompressed));
  const type = `ecdsa-sha2-${curve.name}`;
  const publicKey = new Writer(256)
    .text(type)
    .text(curve.name)
    .string(isOurs ? uncompressed : point)
    .finish();
  const secret = new Writer(256).raw(publicKey).mpint(padded);
  return readKeyPair(new Reader(secret.finish(), "private key"), publicKey, publicHalf);
}

export function rsaPair(numbers: RsaNumbers, publicHalf: PublicHalf): AnyPair {
  const { modulus, exponent, privateExponent, prime1, prime2, coefficient } = numbers;
  const publicKey = new Writer(1024).text("ssh-rsa").mpint(exponent).mpint(modulus).finish();
  const secret = new Writer(4096).text("ssh-rsa").mpint(modulus).mpint(exponent).mpint(privateExponent);
  secret.mpint(coefficient).mpint(prime1).mpint(prime2);
  const pair = readKeyPair(new Reader(secret.finish(), "private key"), publicKey, publicHalf);
  const d = toBigInt(privateExponent);
  for (const [given, prime] of [
    [numbers.exponent1, prime1],
    [numbers.exponent2, prime2],
  ] as const) {
    if (toBigInt(given) !== d % (toBigInt(prime) - 1n)) throw damaged("RSA");
  }
  return pair;
}

/** SEC 1 section 2.3.3. */
function compress({ size }: NistCurve, point: Bytes): Bytes {
  return concat(Uint8Array.of(2 + ((point[2 * size] ?? 0) & 1)), point.subarray(1, 1 + size));
}
