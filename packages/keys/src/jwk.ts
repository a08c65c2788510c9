/** Private keys as JSON Web Keys (RFC 7517), which WebCrypto and `node:crypto` import. @module */
import { toBigInt } from "@postern/crypto";
import { type Bytes, fromHex, toBase64 } from "@postern/wire";
import type { PrivateKey } from "./key-types.ts";

/** A private key as a JSON Web Key (RFC 7518 section 6, RFC 8037 section 2). It contains secrets: do not log it. */
export type PrivateKeyJwk =
  | { readonly kty: "OKP"; readonly crv: "Ed25519"; readonly x: string; readonly d: string }
  | {
      readonly kty: "EC";
      readonly crv: "P-256" | "P-384" | "P-521";
      readonly x: string;
      readonly y: string;
      readonly d: string;
    }
  | {
      readonly kty: "RSA";
      readonly n: string;
      readonly e: string;
      readonly d: string;
      readonly p: string;
      readonly q: string;
      readonly dp: string;
      readonly dq: string;
      readonly qi: string;
    };

const curves = { nistp256: "P-256", nistp384: "P-384", nistp521: "P-521" } as const;

/** Converts a private key to a JSON Web Key. */
export function privateKeyJwk(key: PrivateKey): PrivateKeyJwk {
  switch (key.type) {
    case "ssh-ed25519":
      return { kty: "OKP", crv: "Ed25519", x: base64url(key.point), d: base64url(key.seed) };
    case "ssh-rsa": {
      const d = toBigInt(key.privateExponent);
      return {
        kty: "RSA",
        n: base64url(key.modulus),
        e: base64url(key.exponent),
        d: base64url(key.privateExponent),
        p: base64url(key.prime1),
        q: base64url(key.prime2),
        // PROTOCOL.key does not store these two exponents (RFC 8017 section 3.2).
        dp: base64url(fromBigInt(d % (toBigInt(key.prime1) - 1n))),
        dq: base64url(fromBigInt(d % (toBigInt(key.prime2) - 1n))),
        qi: base64url(key.coefficient),
      };
    }
    case "ecdsa-sha2-nistp256":
    case "ecdsa-sha2-nistp384":
    case "ecdsa-sha2-nistp521": {
      const { size, name } = key.curve;
      const [x, y] = [key.point.subarray(1, 1 + size), key.point.subarray(1 + size)];
      return { kty: "EC", crv: curves[name], x: base64url(x), y: base64url(y), d: base64url(key.scalar) };
    }
  }
}

function base64url(bytes: Bytes): string {
  return toBase64(bytes).replace(/=+$/, "").replaceAll("+", "-").replaceAll("/", "_");
}

function fromBigInt(value: bigint): Bytes {
  const hex = value.toString(16);
  return fromHex(hex.padStart(hex.length + (hex.length % 2), "0"));
}
