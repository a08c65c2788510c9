/** Poly1305 (RFC 8439 section 2.5), which `node:crypto` has only inside of an AEAD that is not the one of OpenSSH. @module */
import type { Bytes } from "@postern/wire";

/** A number below 2^132 is six limbs of 22 bits, the lowest first: sums of their products stay exact in a float64. */
const base = 2 ** 22;
const mask = base - 1;
/** 2^132 modulo 2^130 - 5: what leaves the highest limb comes back at the lowest, times this. */
const wrap = 20;

/**
 * The tag of `data` under a key of 32 bytes that is used once. No branch and no index depends on a secret.
 *
 * With |h| < 2^23 and |r| < 2^22 a sum has at most 5 products of |h| times 20 |r|, each below 2^49.4, and one below 2^45: less than 2^52.
 */
export function poly1305(data: Bytes, key: Bytes): Bytes {
  const secret = new DataView(key.buffer, key.byteOffset, 32);
  // RFC 8439 section 2.5: some bits of r are clear.
  const [k0, k1] = [secret.getUint32(0, true) & 0x0fffffff, secret.getUint32(4, true) & 0x0ffffffc];
  const [k2, k3] = [secret.getUint32(8, true) & 0x0ffffffc, secret.getUint32(12, true) & 0x0ffffffc];
  const r0 = k0 & mask;
  const r1 = ((k0 >>> 22) | (k1 << 10)) & mask;
  const r2 = ((k1 >>> 12) | (k2 << 20)) & mask;
  const r3 = (k2 >>> 2) & mask;
  const r4 = ((k2 >>> 24) | (k3 << 8)) & mask;
  const r5 = k3 >>> 14;
  const [s1, s2, s3, s4, s5] = [wrap * r1, wrap * r2, wrap * r3, wrap * r4, wrap * r5];
  let [h0, h1, h2, h3, h4, h5] = [0, 0, 0, 0, 0, 0];

  const whole = data.length & ~15;
  let view = new DataView(data.buffer, data.byteOffset, data.length);
  let at = 0;
  for (let done = 0; done < data.length; done += 16) {
    // Above each block stands a bit; a short one has it within its 16 bytes.
    let above = 1 << 18;
    at = done;
    if (done === whole) {
      const last = new Uint8Array(16);
      last.set(data.subarray(done));
      last[data.length - done] = 1;
      view = new DataView(last.buffer);
      above = 0;
      at = 0;
    }
    const t0 = view.getUint32(at, true);
    const t1 = view.getUint32(at + 4, true);
    const t2 = view.getUint32(at + 8, true);
    const t3 = view.getUint32(at + 12, true);
    h0 += t0 & mask;
    h1 += ((t0 >>> 22) | (t1 << 10)) & mask;
    h2 += ((t1 >>> 12) | (t2 << 20)) & mask;
    h3 += (t2 >>> 2) & mask;
    h4 += ((t2 >>> 24) | (t3 << 8)) & mask;
    h5 += (t3 >>> 14) + above;
    // h = h * r, then the carries.
    let d0 = h0 * r0 + h1 * s5 + h2 * s4 + h3 * s3 + h4 * s2 + h5 * s1;
    let d1 = h0 * r1 + h1 * r0 + h2 * s5 + h3 * s4 + h4 * s3 + h5 * s2;
    let d2 = h0 * r2 + h1 * r1 + h2 * r0 + h3 * s5 + h4 * s4 + h5 * s3;
    let d3 = h0 * r3 + h1 * r2 + h2 * r1 + h3 * r0 + h4 * s5 + h5 * s4;
    let d4 = h0 * r4 + h1 * r3 + h2 * r2 + h3 * r1 + h4 * r0 + h5 * s5;
    let d5 = h0 * r5 + h1 * r4 + h2 * r3 + h3 * r2 + h4 * r1 + h5 * r0;
    let carry = Math.floor(d0 / base);
    d0 -= carry * base;
    d1 += carry;
    carry = Math.floor(d1 / base);
    h1 = d1 - carry * base;
    d2 += carry;
    carry = Math.floor(d2 / base);
    h2 = d2 - carry * base;
    d3 += carry;
    carry = Math.floor(d3 / base);
    h3 = d3 - carry * base;
    d4 += carry;
    carry = Math.floor(d4 / base);
    h4 = d4 - carry * base;
    d5 += carry;
    carry = Math.floor(d5 / base);
    h5 = d5 - carry * base;
    d0 += carry * wrap;
    carry = Math.floor(d0 / base);
    h0 = d0 - carry * base;
    h1 += carry;
  }
  return tagOf([h0, h1, h2, h3, h4, h5], secret);
}

/** h modulo 2^130 - 5, plus the second half of the key modulo 2^128. */
function tagOf(limbs: readonly number[], secret: DataView): Bytes {
  // What is above 2^130 comes back times 5; a second round takes the carry of the first.
  const folded = carried(carried(limbs));
  // h + 5 reaches 2^130 exactly when h is not below the prime.
  const [first = 0, ...others] = folded;
  const more = rippled([first + 5, ...others]);
  const reached = -((more[5] ?? 0) >>> 20);
  const [h0 = 0, h1 = 0, h2 = 0, h3 = 0, h4 = 0, h5 = 0] = folded.map(
    (limb, at) => (limb & ~reached) | ((more[at] ?? 0) & reached),
  );
  const words = [
    h0 | (h1 << 22),
    (h1 >>> 10) | (h2 << 12),
    (h2 >>> 20) | (h3 << 2) | (h4 << 24),
    (h4 >>> 8) | (h5 << 14),
  ];
  const tag = new Uint8Array(16);
  const view = new DataView(tag.buffer);
  let sum = 0;
  for (const [at, word] of words.entries()) {
    sum = (word >>> 0) + secret.getUint32(16 + 4 * at, true) + Math.floor(sum / 2 ** 32);
    view.setUint32(4 * at, sum, true);
  }
  return tag;
}

function carried(limbs: readonly number[]): number[] {
  const next = rippled(limbs);
  const top = next[5] ?? 0;
  next[0] = (next[0] ?? 0) + 5 * (top >>> 20);
  next[5] = top & 0xfffff;
  return next;
}

/** The same number, each limb below 2^22 but for the highest. */
function rippled(limbs: readonly number[]): number[] {
  let carry = 0;
  return limbs.map((limb, at) => {
    const sum = limb + carry;
    carry = at < 5 ? sum >>> 22 : 0;
    return at < 5 ? sum & mask : sum;
  });
}
