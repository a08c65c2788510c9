/** What a signer is made of, on any platform. @module */
import type { Signer } from "@postern/crypto";
import { type Bytes, expectType, SshError, Writer } from "@postern/wire";
import type { PrivateKey } from "./private-key.ts";

/** How to read a private key; there is nothing to choose yet. */
export type ReadPrivateKeyOptions = Readonly<Record<string, never>>;

/** Makes the function `readPrivateKey` of a platform: `read` takes the text. */
export function createKeyReader(
  read: (text: string) => Signer | Promise<Signer>,
): (text: string, options?: ReadPrivateKeyOptions) => Promise<Signer> {
  return async (text, options = {}) => {
    expectType("the options of readPrivateKey", options, "object");
    const [unknown] = Object.keys(options);
    if (unknown === undefined) return read(text);
    throw new SshError("misuse", `expected no options to read a private key, got ${unknown}`);
  };
}

/** The signature algorithms a private key can make, best first. */
export function signatureAlgorithms(key: PrivateKey): readonly string[] {
  expectType("a private key", key, "object");
  return key.type === "ssh-rsa" ? ["rsa-sha2-512", "rsa-sha2-256"] : [key.type];
}

/** @throws SshError `misuse` unless `data` is bytes and `algorithm` is one of the list */
export function checkAlgorithm(data: Bytes, algorithm: string, algorithms: readonly string[]): string {
  expectType("the data to sign", data, "Uint8Array");
  if (algorithms.includes(algorithm)) return algorithm;
  throw new SshError("misuse", `expected a signature algorithm of ${algorithms.join(", ")}, got ${algorithm}`);
}

/** The signature blob of RFC 4253 section 6.6: `string algorithm || string signature`. */
export function encodeSignature(algorithm: string, signature: Bytes): Bytes {
  return new Writer(128 + signature.length).text(algorithm).string(signature).finish();
}

/** r || s, each of the curve's size (IEEE P1363), as `mpint r || mpint s` (RFC 5656 section 3.1.2). */
export function encodeEcdsaPair(pair: Bytes): Bytes {
  const half = pair.length / 2;
  return new Writer().mpint(pair.subarray(0, half)).mpint(pair.subarray(half)).finish();
}
