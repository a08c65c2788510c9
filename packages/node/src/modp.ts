/** Diffie-Hellman over prime fields with `node:crypto`. @module */
import * as native from "node:crypto";
import { createGroupExchange, createModp, type KexMethod, type Modp, type ModpGroup, modpGroup } from "@postern/crypto";
import { type Bytes, concat, fromHex } from "@postern/wire";
import { plain, sha256, sha512 } from "./hash.ts";

/** dhKeyAgreement, PKCS #3 section 9, as an encoded object identifier. */
const dhKeyAgreement = "06092a864886f70d010301";

/**
 * Keys in DER, because `createDiffieHellman` tests the prime: since Node.js 24 that takes a second for 2048 bits and
 * minutes for 8192.
 */
const nativeModp: Modp = (group, exponent) => {
  const parameters = algorithmOf(group);
  const der = sequence(Uint8Array.of(2, 1, 0), parameters, tagged(4, integer(exponent)));
  exponent.fill(0);
  const key = native.createPrivateKey({ key: Buffer.from(der.buffer), format: "der", type: "pkcs8" });
  der.fill(0);
  const spki = native.createPublicKey(key).export({ format: "der", type: "spki" });
  return {
    publicKey: publicValue(spki, parameters),
    agree(theirPublic) {
      const bits = tagged(3, concat(Uint8Array.of(0), integer(theirPublic)));
      const publicDer = sequence(parameters, bits);
      const publicKey = native.createPublicKey({ key: Buffer.from(publicDer.buffer), format: "der", type: "spki" });
      return plain(native.diffieHellman({ privateKey: key, publicKey }));
    },
  };
};

const algorithmOf = ({ prime, generator }: ModpGroup): Bytes =>
  sequence(fromHex(dhKeyAgreement), sequence(integer(prime), integer(generator)));

/** Returns the INTEGER in a SubjectPublicKeyInfo with these parameters (RFC 5280 section 4.1). */
function publicValue(der: Buffer, parameters: Bytes): Bytes {
  const afterHeader = (at: number): number => at + 2 + Math.max((der[at + 1] ?? 0) - 0x80, 0);
  const bitString = afterHeader(0) + parameters.length;
  return plain(der.subarray(afterHeader(afterHeader(bitString) + 1)));
}

function integer(value: Bytes): Bytes {
  return tagged(2, (value[0] ?? 0) > 0x7f ? concat(Uint8Array.of(0), value) : value);
}

function sequence(...parts: readonly Bytes[]): Bytes {
  return tagged(0x30, concat(...parts));
}

/** Encodes a tag, a length below 2^16 and a value (X.690 section 8.1). */
function tagged(tag: number, value: Bytes): Bytes {
  const { length } = value;
  const header = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return concat(Uint8Array.of(tag, ...header), value);
}

export const dhGroup14Sha256: KexMethod = modp("diffie-hellman-group14-sha256", sha256, 2048);
export const dhGroup16Sha512: KexMethod = modp("diffie-hellman-group16-sha512", sha512, 4096);
export const dhGroup18Sha512: KexMethod = modp("diffie-hellman-group18-sha512", sha512, 8192);
export const dhGroupExchangeSha256: KexMethod = /* @__PURE__ */ createGroupExchange(sha256, nativeModp);

function modp(name: string, hash: typeof sha256, bits: number): KexMethod {
  return createModp(name, hash, () => modpGroup(bits), nativeModp);
}
