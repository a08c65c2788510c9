/** `ecdsa-sha2-nistp256`, `-nistp384`, `-nistp521`: RFC 5656 section 3. @module */
import { type Bytes, Reader, SshError } from "@postern/wire";
import { checkPointForm, type NistCurve } from "../nist.ts";
import type { PublicKeyAlgorithm } from "../publickey.ts";
import { readKey, readSignature } from "./blobs.ts";

/** ECDSA on one curve, as a platform provides it. */
export interface Ecdsa {
  /** Throws for an uncompressed point that is not on the curve. */
  checkPoint(point: Bytes): void;
  /**
   * Hashes `data` with the curve's hash (RFC 5656 section 6.2.1); the signature is r || s, each of the curve's size. False too when one of them is not
   * between 1 and the order (FIPS 186-5 section 6.4.2).
   */
  verify(point: Bytes, data: Bytes, signature: Bytes): boolean;
}

/** Makes the algorithm of a platform's ECDSA. Both roots s are valid: SSH knows no rule of low s. */
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

/** RFC 5656 section 3.1: the curve's identifier again, then the point. */
function readPoint(curve: NistCurve, ecdsa: Ecdsa, reader: Reader): Bytes {
  const identifier = reader.text();
  if (identifier !== curve.name) {
    throw new SshError("key", `expected the curve ${curve.name}, got ${identifier.slice(0, 64)}`);
  }
  const point = reader.string();
  checkPointForm(curve, point, "key");
  try {
    ecdsa.checkPoint(point);
  } catch (error) {
    throw new SshError("key", `expected a point on ${curve.name}, got another`, { cause: error });
  }
  return point;
}

/** RFC 5656 section 3.1.2: mpint r, mpint s; undefined when they are anything else, or too long for the curve. */
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
