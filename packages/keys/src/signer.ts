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

/** Encodes a signature blob, `string algorithm || string signature` (RFC 4253 section 6.6). */
export function encodeSignature(algorithm: string, signature: Bytes): Bytes {
  return new Writer(128 + signature.length).text(algorithm).string(signature).finish();
}

/** Converts r || s, each of the curve's size (IEEE P1363), to `mpint r || mpint s` (RFC 5656 section 3.1.2). */
export function encodeEcdsaPair(pair: Bytes): Bytes {
  const half = pair.length / 2;
  return new Writer().mpint(pair.subarray(0, half)).mpint(pair.subarray(half)).finish();
}
