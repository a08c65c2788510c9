/** `rsa-sha2-512` and `rsa-sha2-256` (RFC 8332). `ssh-rsa`, which uses SHA-1, is not supported. @module */
import { type Bytes, concat, SshError } from "@postern/wire";
import type { PublicKeyAlgorithm } from "../publickey.ts";
import { readKey, readSignature } from "./blobs.ts";

/** An RSA public key: unsigned big-endian integers without leading zeros. */
export interface RsaPublicKey {
  readonly modulus: Bytes;
  readonly exponent: Bytes;
}

/** The accepted sizes. RSA below 2048 bits may be broken, and verifying with larger values takes seconds. */
export const RsaLimits = { minBits: 2048, maxBits: 16_384, maxExponentBits: 64 } as const;

const keyType = "ssh-rsa";

/** Creates the algorithm from a provider's RSASSA-PKCS1-v1_5. `verify` receives a signature as long as the modulus. */
export function createRsa(
  name: "rsa-sha2-256" | "rsa-sha2-512",
  verify: (key: RsaPublicKey, data: Bytes, signature: Bytes) => boolean,
): PublicKeyAlgorithm {
  return {
    name,
    keyType,
    verify(publicKey, data, signature) {
      const key = readKey(publicKey, keyType, (reader) => {
        const exponent = reader.mpint();
        return checkRsaKey({ exponent, modulus: reader.mpint() });
      });
      const bytes = readSignature(signature, name);
      if (bytes === undefined || bytes.length > key.modulus.length) return false;
      // RFC 8332 section 3 requires the full length, but some peers omit leading zeros, and OpenSSH accepts that.
      return verify(key, data, concat(new Uint8Array(key.modulus.length - bytes.length), bytes));
    },
  };
}

/** Returns `key`. @throws SshError `key` if modulus or exponent is even or outside {@link RsaLimits} */
export function checkRsaKey(key: RsaPublicKey): RsaPublicKey {
  const bits = bitLength(key.modulus);
  const { minBits, maxBits, maxExponentBits } = RsaLimits;
  if (bits < minBits || bits > maxBits) {
    throw new SshError("key", `expected an RSA modulus of ${minBits} to ${maxBits} bits, got ${bits}`);
  }
  if (!isOdd(key.modulus)) throw new SshError("key", "expected an odd RSA modulus, got an even one");
  const exponentBits = bitLength(key.exponent);
  if (exponentBits < 2 || exponentBits > maxExponentBits || !isOdd(key.exponent)) {
    const got = `an ${isOdd(key.exponent) ? "odd" : "even"} one of ${exponentBits} bits`;
    throw new SshError("key", `expected an odd RSA exponent from 3 to ${maxExponentBits} bits, got ${got}`);
  }
  return key;
}

function bitLength(bytes: Bytes): number {
  const [first = 0] = bytes;
  return bytes.length === 0 ? 0 : 8 * bytes.length - Math.clz32(first) + 24;
}

function isOdd(bytes: Bytes): boolean {
  return ((bytes[bytes.length - 1] ?? 0) & 1) === 1;
}
