/** RSASSA-PKCS1-v1_5 verification in pure JavaScript. All values are public, so BigInt may be used. @module */
import { createRsa, type Hash, type PublicKeyAlgorithm, type RsaPublicKey, toBigInt } from "@postern/crypto";
import { type Bytes, concat, equal, fromHex } from "@postern/wire";
import { sha256, sha512 } from "../hash.ts";

/** RFC 8017 section 8.2.2. Builds the expected encoded message and compares it, so no padding is parsed. */
function verifyWith(hash: Hash, digestInfo: string): (key: RsaPublicKey, data: Bytes, signature: Bytes) => boolean {
  return ({ modulus, exponent }, data, signature) => {
    const n = toBigInt(modulus);
    const s = toBigInt(signature);
    if (s >= n) return false;
    const message = power(s, toBigInt(exponent), n)
      .toString(16)
      .padStart(2 * modulus.length, "0");
    return equal(fromHex(message), encodedMessage(modulus.length, fromHex(digestInfo), hash.digest(data)));
  };
}

/** EMSA-PKCS1-v1_5 (RFC 8017 section 9.2): 00 01 ff … ff 00, DigestInfo, digest. */
function encodedMessage(size: number, digestInfo: Bytes, digest: Bytes): Bytes {
  const padding = new Uint8Array(size - digestInfo.length - digest.length).fill(0xff);
  padding.set([0, 1]);
  padding[padding.length - 1] = 0;
  return concat(padding, digestInfo, digest);
}

/** Returns base^exponent modulo n. Not constant-time. */
function power(base: bigint, exponent: bigint, n: bigint): bigint {
  let result = 1n;
  for (const bit of exponent.toString(2)) {
    result = (result * result) % n;
    if (bit === "1") result = (result * base) % n;
  }
  return result;
}

/** `rsa-sha2-256` in pure JavaScript. The prefix is from RFC 8017 section 9.2, note 1. */
export const rsaSha2_256: PublicKeyAlgorithm = /* @__PURE__ */ createRsa(
  "rsa-sha2-256",
  /* @__PURE__ */ verifyWith(sha256, "3031300d060960864801650304020105000420"),
);

/** `rsa-sha2-512` in pure JavaScript. */
export const rsaSha2_512: PublicKeyAlgorithm = /* @__PURE__ */ createRsa(
  "rsa-sha2-512",
  /* @__PURE__ */ verifyWith(sha512, "3051300d060960864801650304020305000440"),
);
