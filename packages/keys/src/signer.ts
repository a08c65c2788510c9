/** The parts of a signer that every provider shares. @module */
import { type Bytes, expectType, SshError, Writer } from "@postern/wire";
import type { PrivateKey } from "./key-types.ts";

/** Returns the signature algorithms that a private key can use, best first. */
export function signatureAlgorithms(key: PrivateKey): readonly string[] {
  expectType("a private key", key, "object");
  return key.type === "ssh-rsa" ? ["rsa-sha2-512", "rsa-sha2-256"] : [key.type];
}

/** Returns `algorithm`. @throws SshError `misuse` unless `data` is bytes and the list contains the algorithm */
export function checkAlgorithm(data: Bytes, algorithm: string, algorithms: readonly string[]): string {
  expectType("the data to sign", data, "Uint8Array");
  if (algorithms.includes(algorithm)) return algorithm;
  throw new SshError("misuse", `expected one of the signature algorithms ${algorithms.join(", ")}, got ${algorithm}`);
}

/**
 * Encodes the blob of an Ed25519 key (RFC 8709 section 4) or an ECDSA key (RFC 5656 section 3.1).
 * @param point 32 bytes, or an uncompressed point: what WebCrypto exports as `raw`
 */
export function encodePublicKey(type: "ssh-ed25519" | `ecdsa-sha2-nistp${256 | 384 | 521}`, point: Bytes): Bytes {
  const writer = new Writer(160).text(type);
  if (type !== "ssh-ed25519") writer.text(type.slice("ecdsa-sha2-".length));
  return writer.string(point).finish();
}

/** Encodes a signature blob, `string algorithm || string signature` (RFC 4253 section 6.6). */
export function encodeSignature(algorithm: string, signature: Bytes): Bytes {
  return new Writer(128 + signature.length).text(algorithm).string(signature).finish();
}

/** Converts r || s, each of the curve's size (IEEE P1363), to `mpint r || mpint s` (RFC 5656 section 3.1.2). */
export function encodeEcdsaPair(pair: Bytes): Bytes {
  const half = pair.length / 2;
  return new Writer().mpint(pair.subarray(0, half)).mpint(pair.subarray(half)).finish();
}
