/** Algorithms over `node:crypto`, under the names that `@postern/noble` gives its own. @module */
import * as native from "node:crypto";
import type {
  Algorithms,
  Cipher,
  EphemeralKey,
  Hash,
  KexMethod,
  Mac,
  PublicKeyAlgorithm,
  Random,
} from "@postern/crypto";
import * as make from "@postern/crypto";
import { poly1305 } from "@postern/wasm";
import { type Bytes, concat, fromHex, SshError } from "@postern/wire";
import { longestShort, ShortGcm } from "./aead/short-gcm.ts";
import { free } from "./free.ts";

const poolSize = 8192;
let pool: Bytes = new Uint8Array(0);
let poolAt = 0;

/** The operating system's randomness, drawn in batches; what it hands out is copied, and wiped from the batch. */
export const nodeRandom: Random = (size) => {
  if (size > poolSize / 8) return native.randomFillSync(new Uint8Array(size));
  if (poolAt + size > pool.length) {
    pool = native.randomFillSync(new Uint8Array(poolSize));
    poolAt = 0;
  }
  const bytes = pool.slice(poolAt, poolAt + size);
  pool.fill(0, poolAt, poolAt + size);
  poolAt += size;
  return bytes;
};

// ---- hashes and MACs

export const sha256: Hash = { name: "sha256", size: 32, digest: (data) => digest("sha256", data) };
export const sha384: Hash = { name: "sha384", size: 48, digest: (data) => digest("sha384", data) };
export const sha512: Hash = { name: "sha512", size: 64, digest: (data) => digest("sha512", data) };

function digest(hash: string, data: Bytes): Bytes {
  return plain(native.createHash(hash).update(data).digest());
}

const hmac =
  (hash: string): make.Hmac =>
  (key) =>
  (head, data) =>
    plain(native.createHmac(hash, key).update(head).update(data).digest());

export const hmacSha2_256: Mac = /* @__PURE__ */ make.createHmacMac(
  "hmac-sha2-256",
  32,
  /* @__PURE__ */ hmac("sha256"),
);
export const hmacSha2_512: Mac = /* @__PURE__ */ make.createHmacMac(
  "hmac-sha2-512",
  64,
  /* @__PURE__ */ hmac("sha512"),
);
export const hmacSha2_256Etm: Mac = /* @__PURE__ */ make.createHmacMac(
  "hmac-sha2-256-etm@openssh.com",
  32,
  /* @__PURE__ */ hmac("sha256"),
);
export const hmacSha2_512Etm: Mac = /* @__PURE__ */ make.createHmacMac(
  "hmac-sha2-512-etm@openssh.com",
  64,
  /* @__PURE__ */ hmac("sha512"),
);

// ---- ciphers

const tagSize = 16;

function aesGcm(key: Bytes): make.AesGcm {
  const algorithm = `aes-${key.length * 8}-gcm` as native.CipherGCMTypes;
  const short = shortGcm(key);
  return {
    seal(nonce, packet) {
      if (short !== undefined && packet.length <= longestShort) return short.seal(nonce, packet);
      const cipher = native.createCipheriv(algorithm, key, nonce).setAAD(packet.subarray(0, 4));
      const text = cipher.update(packet.subarray(4, -tagSize));
      packet.set(text, 4);
      free(text);
      cipher.final();
      packet.set(cipher.getAuthTag(), packet.length - tagSize);
    },
    open(nonce, packet) {
      if (short !== undefined && packet.length <= longestShort) return short.open(nonce, packet);
      const cipher = native.createDecipheriv(algorithm, key, nonce, { authTagLength: tagSize });
      cipher.setAAD(packet.subarray(0, 4)).setAuthTag(packet.subarray(-tagSize));
      const text = cipher.update(packet.subarray(4, -tagSize));
      try {
        cipher.final();
      } catch {
        return undefined;
      }
      return plain(text);
    },
    reuse: free,
  };
}

/** Undefined where the platform lacks what it needs: then short packets go the way of all others. */
function shortGcm(key: Bytes): ShortGcm | undefined {
  try {
    return new ShortGcm(key);
  } catch {
    return undefined;
  }
}

// One object for the whole life of a key: it keeps the block counter.
const aesCtr =
  (algorithm: string): make.AesCtr =>
  (key, counter) => {
    const cipher = native.createCipheriv(algorithm, key, counter);
    return (blocks) => plain(cipher.update(blocks));
  };

const zeroBlock: Bytes = /* @__PURE__ */ new Uint8Array(64);

const chacha20: make.ChaCha20 = {
  xor: (key, nonce, data) =>
    plain(native.createCipheriv("chacha20", key, concat(zeroBlock.subarray(0, 8), nonce)).update(data)),
  split(key, nonce, data) {
    // The IV of OpenSSL's chacha20 is the block counter, little-endian, and then the nonce.
    const cipher = native.createCipheriv("chacha20", key, concat(zeroBlock.subarray(0, 8), nonce));
    return { macKey: cipher.update(zeroBlock).subarray(0, 32), data: plain(cipher.update(data)) };
  },
  reuse: free,
};

export const aes128Gcm: Cipher = /* @__PURE__ */ make.createAesGcm("aes128-gcm@openssh.com", 16, aesGcm);
export const aes256Gcm: Cipher = /* @__PURE__ */ make.createAesGcm("aes256-gcm@openssh.com", 32, aesGcm);
export const chacha20Poly1305: Cipher = /* @__PURE__ */ make.createChaCha20Poly1305(chacha20, poly1305);
export const aes128Ctr: Cipher = /* @__PURE__ */ make.createAesCtr(
  "aes128-ctr",
  16,
  /* @__PURE__ */ aesCtr("aes-128-ctr"),
);
export const aes192Ctr: Cipher = /* @__PURE__ */ make.createAesCtr(
  "aes192-ctr",
  24,
  /* @__PURE__ */ aesCtr("aes-192-ctr"),
);
export const aes256Ctr: Cipher = /* @__PURE__ */ make.createAesCtr(
  "aes256-ctr",
  32,
  /* @__PURE__ */ aesCtr("aes-256-ctr"),
);

// ---- key exchanges

/** PKCS #8 around a private key of 32 bytes (RFC 8410 section 7). Unlike a JWK, which is text, it can be wiped. */
const x25519Prefix = "302e020100300506032b656e04220420";

function x25519(privateKey: Bytes): EphemeralKey {
  const der = concat(fromHex(x25519Prefix), privateKey);
  const key = native.createPrivateKey({ key: Buffer.from(der.buffer), format: "der", type: "pkcs8" });
  der.fill(0);
  privateKey.fill(0);
  const { x = "" } = native.createPublicKey(key).export({ format: "jwk" });
  return {
    publicKey: plain(Buffer.from(x, "base64url")),
    agree: (theirPublic) =>
      plain(
        native.diffieHellman({
          privateKey: key,
          publicKey: publicKeyObject({ kty: "OKP", crv: "X25519", x: theirPublic }),
        }),
      ),
  };
}

const ecdh =
  (curve: string) =>
  (scalar: Bytes): EphemeralKey => {
    const key = native.createECDH(curve);
    key.setPrivateKey(scalar);
    scalar.fill(0);
    return { publicKey: plain(key.getPublicKey()), agree: (theirPublic) => plain(key.computeSecret(theirPublic)) };
  };

export const curve25519Sha256: KexMethod = /* @__PURE__ */ make.createCurve25519("curve25519-sha256", sha256, x25519);
export const curve25519Sha256Libssh: KexMethod = /* @__PURE__ */ make.createCurve25519(
  "curve25519-sha256@libssh.org",
  sha256,
  x25519,
);
export const ecdhNistp256: KexMethod = /* @__PURE__ */ make.createEcdh(
  make.nistp256,
  sha256,
  /* @__PURE__ */ ecdh("prime256v1"),
);
export const ecdhNistp384: KexMethod = /* @__PURE__ */ make.createEcdh(
  make.nistp384,
  sha384,
  /* @__PURE__ */ ecdh("secp384r1"),
);
export const ecdhNistp521: KexMethod = /* @__PURE__ */ make.createEcdh(
  make.nistp521,
  sha512,
  /* @__PURE__ */ ecdh("secp521r1"),
);

// ---- public keys

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
 * Treats a key that `node:crypto` rejects as one that verifies nothing, such as a point off the Ed25519 curve. `prepareAlgorithms` has
 * made sure that the platform supports the key type. A malformed blob stays an error.
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

// ---- sets

/** The default of this platform, with AES-GCM first: twice to ten times as fast as ChaCha20-Poly1305 here. */
export const modernAlgorithms: Algorithms = {
  kex: [curve25519Sha256, curve25519Sha256Libssh],
  hostKeys: [sshEd25519, ecdsaNistp256, ecdsaNistp384, ecdsaNistp521, rsaSha2_512, rsaSha2_256],
  ciphers: [aes256Gcm, aes128Gcm, chacha20Poly1305],
  macs: [hmacSha2_256Etm, hmacSha2_512Etm],
};

/** For older peers: {@link modernAlgorithms}, then ECDH on the NIST curves, AES-CTR, and MACs over the plaintext. */
export const compatibleAlgorithms: Algorithms = {
  kex: [...modernAlgorithms.kex, ecdhNistp256, ecdhNistp384, ecdhNistp521],
  hostKeys: modernAlgorithms.hostKeys,
  ciphers: [...modernAlgorithms.ciphers, aes256Ctr, aes192Ctr, aes128Ctr],
  macs: [...modernAlgorithms.macs, hmacSha2_256, hmacSha2_512],
};

// ---- helpers

/** Returns a plain view, because `slice` of a Buffer does not copy. */
function plain(buffer: Buffer): Bytes {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length);
}

/** Creates a public key from the fields of a JWK; byte fields become base64url. @throws Error if the platform rejects the key */
export function publicKeyObject(fields: Readonly<Record<string, string | Bytes>>): native.KeyObject {
  const key: Record<string, string> = {};
  for (const [name, value] of Object.entries(fields)) {
    key[name] = typeof value === "string" ? value : Buffer.from(value).toString("base64url");
  }
  return native.createPublicKey({ key, format: "jwk" });
}
