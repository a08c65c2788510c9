/** The NIST curves of RFC 5656. @module */
import { type Bytes, SshError, type SshErrorCode } from "@postern/wire";
import type { Random } from "./kex.ts";

/** A curve, named by its identifier in RFC 5656 section 10.1. */
export interface NistCurve {
  readonly name: "nistp256" | "nistp384" | "nistp521";
  /** bytes of a coordinate and of a scalar */
  readonly size: number;
  /** bits of the order */
  readonly bits: number;
}

export const nistp256: NistCurve = { name: "nistp256", size: 32, bits: 256 };
export const nistp384: NistCurve = { name: "nistp384", size: 48, bits: 384 };
export const nistp521: NistCurve = { name: "nistp521", size: 66, bits: 521 };

/** The orders of the base points (FIPS 186-4 appendix D.1.2). Separate, so bundles that only verify omit them. */
export const orders: Readonly<Record<NistCurve["name"], bigint>> = {
  nistp256: 0xffffffff_00000000_ffffffff_ffffffff_bce6faad_a7179e84_f3b9cac2_fc632551n,
  nistp384:
    0xffffffff_ffffffff_ffffffff_ffffffff_ffffffff_ffffffff_c7634d81_f4372ddf_581a0db2_48b0a77a_ecec196a_ccc52973n,
  nistp521:
    0x01ff_ffffffff_ffffffff_ffffffff_ffffffff_ffffffff_ffffffff_ffffffff_fffffffa_51868783_bf2f966b_7fcc0148_f709a5d0_3bb5c9b8_899c47ae_bb6fb71e_91386409n,
};

/**
 * Draws a private scalar: draws `size` bytes and clears surplus high bits, until 0 < d < order (FIPS 186-5 appendix
 * A.2.2). All providers use it, so equal random bytes produce equal keys.
 * @throws SshError `misuse` if the random source never returns a valid scalar
 */
export function drawScalar(curve: NistCurve, random: Random): Bytes {
  // The order of P-256 is the furthest from a power of two. Even with it, one draw in 2^32 fails.
  for (let draws = 0; draws < 32; draws++) {
    const scalar = random(curve.size);
    scalar[0] = (scalar[0] ?? 0) & (0xff >> (8 * curve.size - curve.bits));
    if (isScalar(curve, scalar)) return scalar;
  }
  throw new SshError("misuse", `${curve.name}: expected random bytes, got none below the order`);
}

/** Returns whether big-endian bytes are an integer d with 0 < d < order. */
export function isScalar(curve: NistCurve, bytes: Bytes): boolean {
  const value = toBigInt(bytes);
  return value > 0n && value < orders[curve.name];
}

/** @throws SshError unless the bytes have the form of an uncompressed point (SEC 1 section 2.3.3), as in OpenSSH */
export function checkPointForm(curve: NistCurve, point: Bytes, code: SshErrorCode): void {
  const size = 1 + 2 * curve.size;
  if (point.length === size && point[0] === 4) return;
  const got = point.length === size ? `a first byte of ${point[0]}` : `${point.length} bytes`;
  throw new SshError(code, `${curve.name}: expected an uncompressed point of ${size} bytes, got ${got}`);
}

/** Converts big-endian bytes to an integer. */
export function toBigInt(bytes: Bytes): bigint {
  let hex = "0";
  for (const byte of bytes) hex += byte.toString(16).padStart(2, "0");
  return BigInt(`0x${hex}`);
}
