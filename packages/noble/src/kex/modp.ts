/** Diffie-Hellman over the groups of RFC 3526 with BigInt, which is not constant-time. @module */
import { createGroupExchange, createModp, type KexMethod, type Modp, modpGroup, toBigInt } from "@postern/crypto";
import { type Bytes, fromHex } from "@postern/wire";
import { sha256, sha512 } from "../hash.ts";

const bigIntModp: Modp = ({ prime, generator }, exponent) => {
  const p = toBigInt(prime);
  let x: bigint | undefined = toBigInt(exponent);
  const bits = exponent.length * 8;
  exponent.fill(0);
  const encode = (value: bigint): Bytes => fromHex(value.toString(16).padStart(2 * prime.length, "0"));
  return {
    publicKey: encode(power(toBigInt(generator), x, bits, p)),
    // JavaScript cannot overwrite a BigInt.
    discard: () => void (x = undefined),
    agree: (theirPublic) => {
      const own = x ?? 0n;
      x = undefined;
      return encode(power(toBigInt(theirPublic), own, bits, p));
    },
  };
};

/** Returns base^exponent mod p by a Montgomery ladder: two multiplications for each bit, whatever its value. */
function power(base: bigint, exponent: bigint, bits: number, p: bigint): bigint {
  const ladder = [1n, base];
  for (let at = BigInt(bits - 1); at >= 0n; at--) {
    const bit = Number((exponent >> at) & 1n);
    const [low = 0n, high = 0n] = ladder;
    const product = (low * high) % p;
    const own = ladder[bit] ?? 0n;
    ladder[bit] = (own * own) % p;
    ladder[1 - bit] = product;
  }
  return ladder[0] ?? 0n;
}

/** `diffie-hellman-group14-sha256` (RFC 8268), 2048 bits, in pure JavaScript. */
export const dhGroup14Sha256: KexMethod = /* @__PURE__ */ createModp(
  "diffie-hellman-group14-sha256",
  sha256,
  () => modpGroup(2048),
  bigIntModp,
);

/** `diffie-hellman-group16-sha512` (RFC 8268), 4096 bits, in pure JavaScript. */
export const dhGroup16Sha512: KexMethod = /* @__PURE__ */ createModp(
  "diffie-hellman-group16-sha512",
  sha512,
  () => modpGroup(4096),
  bigIntModp,
);

/** `diffie-hellman-group18-sha512` (RFC 8268), 8192 bits, in pure JavaScript. */
export const dhGroup18Sha512: KexMethod = /* @__PURE__ */ createModp(
  "diffie-hellman-group18-sha512",
  sha512,
  () => modpGroup(8192),
  bigIntModp,
);

/** `diffie-hellman-group-exchange-sha256` (RFC 4419) in pure JavaScript. */
export const dhGroupExchangeSha256: KexMethod = /* @__PURE__ */ createGroupExchange(sha256, bigIntModp);
