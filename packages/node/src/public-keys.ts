/** Public key algorithms over `node:crypto`. @module */
import * as native from "node:crypto";
import type { PublicKeyAlgorithm } from "@postern/crypto";
import * as make from "@postern/crypto";
import { type Bytes, SshError } from "@postern/wire";

const verify = (hash: string | null, data: Bytes, key: native.KeyObject, signature: Bytes): boolean =>
  native.verify(hash, data, { key, dsaEncoding: "ieee-p1363" }, signature);

const verifierOf = (curve: make.NistCurve, crv: string, hash: string): make.Ecdsa => {
  const keyOf = (point: Bytes) =>
    publicKeyObject({ kty: "EC", crv, x: point.subarray(1, 1 + curve.size), y: point.subarray(1 + curve.size) });
  return {
    checkPoint: (point) => {
      keyOf(point);
    },
    verify: (point, data, signature) => verify(hash, data, keyOf(point), signature),
  };
};

const rsaKey = ({ modulus, exponent }: make.RsaPublicKey) => publicKeyObject({ kty: "RSA", n: modulus, e: exponent });

const rsa =
  (hash: string) =>
  (key: make.RsaPublicKey, data: Bytes, signature: Bytes): boolean =>
    native.verify(hash, data, rsaKey(key), signature);

const ed25519Key = (publicKey: Bytes) => publicKeyObject({ kty: "OKP", crv: "Ed25519", x: publicKey });

export const sshEd25519: PublicKeyAlgorithm = /* @__PURE__ */ nativeKey(
  /* @__PURE__ */ make.createEd25519((publicKey, data, signature) =>
    native.verify(null, data, ed25519Key(publicKey), signature),
  ),
);
export const ecdsaNistp256: PublicKeyAlgorithm = /* @__PURE__ */ nativeEcdsa(make.nistp256, "P-256", "sha256");
export const ecdsaNistp384: PublicKeyAlgorithm = /* @__PURE__ */ nativeEcdsa(make.nistp384, "P-384", "sha384");
export const ecdsaNistp521: PublicKeyAlgorithm = /* @__PURE__ */ nativeEcdsa(make.nistp521, "P-521", "sha512");
export const rsaSha2_256: PublicKeyAlgorithm = /* @__PURE__ */ nativeRsa("rsa-sha2-256", "sha256");
export const rsaSha2_512: PublicKeyAlgorithm = /* @__PURE__ */ nativeRsa("rsa-sha2-512", "sha512");

function nativeEcdsa(curve: make.NistCurve, crv: string, hash: string): PublicKeyAlgorithm {
  return nativeKey(make.createEcdsa(curve, verifierOf(curve, crv, hash)));
}

function nativeRsa(name: "rsa-sha2-256" | "rsa-sha2-512", hash: string): PublicKeyAlgorithm {
  return nativeKey(make.createRsa(name, rsa(hash)));
}

/**
 * No signature verifies with a key that `node:crypto` rejects, such as a point off the Ed25519 curve. The key type is
 * supported, because `prepareAlgorithms` has tested it. A malformed blob is still an error.
 */
function nativeKey(own: PublicKeyAlgorithm): PublicKeyAlgorithm {
  return {
    ...own,
    verify(publicKey, data, signature) {
      try {
        return own.verify(publicKey, data, signature);
      } catch (cause) {
        if (cause instanceof SshError) throw cause;
        return false;
      }
    },
  };
}

/**
 * Creates a public key from the fields of a JWK; byte fields become base64url.
 *
 * @throws Error if the platform rejects the key
 */
export function publicKeyObject(fields: Readonly<Record<string, string | Bytes>>): native.KeyObject {
  const key: Record<string, string> = {};
  for (const [name, value] of Object.entries(fields)) {
    key[name] = typeof value === "string" ? value : Buffer.from(value).toString("base64url");
  }
  return native.createPublicKey({ key, format: "jwk" });
}
