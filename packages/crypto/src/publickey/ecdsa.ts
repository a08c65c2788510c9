/** `ecdsa-sha2-nistp256`, `-nistp384`, `-nistp521` (RFC 5656 section 3). @module */
import { type Bytes, quote, Reader, SshError } from "@postern/wire";
import { checkPointForm, type NistCurve } from "../nist.ts";
import type { PublicKeyAlgorithm } from "../publickey.ts";
import { readKey, readSignature } from "./blobs.ts";

/** A provider's ECDSA on one curve. */
export interface Ecdsa {
  /** Throws if an uncompressed point is not on the curve. */
  checkPoint(point: Bytes): void;
  /**
   * Verifies a signature r || s, each of the curve's size, of `data`, hashed with the curve's hash (RFC 5656 section
   * 6.2.1). Returns `false` if r or s is zero or not below the order (FIPS 186-5 section 6.4.2).
   */
  verify(point: Bytes, data: Bytes, signature: Bytes): boolean;
}

/** Creates the algorithm from a provider's ECDSA. SSH does not require a low s, so both values are valid. */
export function createEcdsa(curve: NistCurve, ecdsa: Ecdsa): PublicKeyAlgorithm {
  const name = `ecdsa-sha2-${curve.name}`;
  return {
    name,
    keyType: name,
    verify(publicKey, data, signature) {
      const point = readKey(publicKey, name, (reader) => readPoint(curve, ecdsa, reader));
      const blob = readSignature(signature, name);
      const bytes = blob && readPair(curve, blob);
      return bytes !== undefined && ecdsa.verify(point, data, bytes);
    },
  };
}

/** Reads the curve's identifier, then the point (RFC 5656 section 3.1). */
function readPoint(curve: NistCurve, ecdsa: Ecdsa, reader: Reader): Bytes {
  const identifier = reader.text();
  if (identifier !== curve.name) {
    throw new SshError("key", `expected the curve ${curve.name}, got ${quote(identifier, 64)}`);
  }
  const point = reader.string();
  checkPointForm(curve, point, "key");
  try {
    ecdsa.checkPoint(point);
  } catch (error) {
    throw new SshError("key", `expected a point on ${curve.name}, got a point off the curve`, { cause: error });
  }
  return point;
}

/** Reads mpint r and mpint s (RFC 5656 section 3.1.2). Returns `undefined` if they are malformed or too long. */
function readPair(curve: NistCurve, blob: Bytes): Bytes | undefined {
  const reader = new Reader(blob, "ECDSA signature");
  const pair = new Uint8Array(2 * curve.size);
  try {
    for (const end of [curve.size, 2 * curve.size]) {
      const value = reader.mpint();
      if (value.length > curve.size) return undefined;
      pair.set(value, end - value.length);
    }
    reader.end();
    return pair;
  } catch {
    return undefined;
  }
}
