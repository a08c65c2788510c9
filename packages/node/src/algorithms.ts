/** Algorithms over `node:crypto`. They have the same names in `@postern/noble`. @module */
import * as native from "node:crypto";
import type { Cipher, EphemeralKey, KexMethod, Mac } from "@postern/crypto";
import * as make from "@postern/crypto";
import { type Bytes, concat, fromHex } from "@postern/wire";
import { longestShort, ShortGcm } from "./aead/short-gcm.ts";
import { free } from "./free.ts";
import { plain, sha256, sha384, sha512 } from "./hash.ts";
import { publicKeyObject } from "./public-keys.ts";

// ---- hashes and MACs

export { sha256, sha384, sha512 } from "./hash.ts";

const hmacSha256: make.Hmac = (key) => hmac("sha256", key);
const hmacSha512: make.Hmac = (key) => hmac("sha512", key);

// Keys are KeyObjects, because Node.js 24 needs 20 to 30 us to import bytes for each object that it creates.
function hmac(hash: string, key: Bytes): ReturnType<make.Hmac> {
  const secret = native.createSecretKey(key);
  return (head, data) => plain(native.createHmac(hash, secret).update(head).update(data).digest());
}

export const hmacSha2_256: Mac = /* @__PURE__ */ make.createHmacMac("hmac-sha2-256", 32, hmacSha256);
export const hmacSha2_512: Mac = /* @__PURE__ */ make.createHmacMac("hmac-sha2-512", 64, hmacSha512);
export const hmacSha2_256Etm: Mac = /* @__PURE__ */ make.createHmacMac("hmac-sha2-256-etm@openssh.com", 32, hmacSha256);
export const hmacSha2_512Etm: Mac = /* @__PURE__ */ make.createHmacMac("hmac-sha2-512-etm@openssh.com", 64, hmacSha512);

// ---- ciphers

const tagSize = 16;

function aesGcm(key: Bytes): make.AesGcm {
  const algorithm = `aes-${key.length * 8}-gcm` as native.CipherGCMTypes;
  const secret = native.createSecretKey(key);
  const short = shortGcm(key);
  return {
    seal(nonce, packet) {
      if (short !== undefined && packet.length <= longestShort) return short.seal(nonce, packet);
      const cipher = native.createCipheriv(algorithm, secret, nonce).setAAD(packet.subarray(0, 4));
      const text = cipher.update(packet.subarray(4, -tagSize));
      packet.set(text, 4);
      free(text);
      cipher.final();
      packet.set(cipher.getAuthTag(), packet.length - tagSize);
    },
    open(nonce, packet) {
      if (short !== undefined && packet.length <= longestShort) return short.open(nonce, packet);
      const cipher = native.createDecipheriv(algorithm, secret, nonce, { authTagLength: tagSize });
      cipher.setAAD(packet.subarray(0, 4)).setAuthTag(packet.subarray(-tagSize));
      const text = cipher.update(packet.subarray(4, -tagSize));
      try {
        cipher.final();
      } catch {
        return undefined;
      }
      return plain(text);
    },
  };
}

/** Returns `undefined` if the platform lacks AES-ECB or WebAssembly. Short packets are then handled like all others. */
function shortGcm(key: Bytes): ShortGcm | undefined {
  try {
    return new ShortGcm(key);
  } catch {
    return undefined;
  }
}

// One cipher object per key, because it holds the block counter.
const aesCtr: make.AesCtr = (key, counter) => {
  const cipher = native.createCipheriv(`aes-${key.length * 8}-ctr`, key, counter);
  return (blocks) => plain(cipher.update(blocks));
};

export const aes128Gcm: Cipher = /* @__PURE__ */ make.createAesGcm("aes128-gcm@openssh.com", 16, aesGcm);
export const aes256Gcm: Cipher = /* @__PURE__ */ make.createAesGcm("aes256-gcm@openssh.com", 32, aesGcm);
export const aes128Ctr: Cipher = /* @__PURE__ */ make.createAesCtr("aes128-ctr", 16, aesCtr);
export const aes192Ctr: Cipher = /* @__PURE__ */ make.createAesCtr("aes192-ctr", 24, aesCtr);
export const aes256Ctr: Cipher = /* @__PURE__ */ make.createAesCtr("aes256-ctr", 32, aesCtr);

// In WebAssembly, because node:crypto has no Poly1305 as SSH needs it, and needs two cipher objects for each packet.
export { chacha20Poly1305 } from "@postern/wasm";

// ---- key exchanges

/**
 * The DER header of PKCS #8 before a private key of 32 bytes (RFC 8410 section 7). Unlike a JWK, which is text, it can
 * be wiped.
 */
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

const prime256v1 = (scalar: Bytes): EphemeralKey => ecdh("prime256v1", scalar);
const secp384r1 = (scalar: Bytes): EphemeralKey => ecdh("secp384r1", scalar);
const secp521r1 = (scalar: Bytes): EphemeralKey => ecdh("secp521r1", scalar);

function ecdh(curve: string, scalar: Bytes): EphemeralKey {
  const key = native.createECDH(curve);
  key.setPrivateKey(scalar);
  scalar.fill(0);
  return { publicKey: plain(key.getPublicKey()), agree: (theirPublic) => plain(key.computeSecret(theirPublic)) };
}

/** A key encapsulation mechanism of `node:crypto`. Node.js has these functions since 24.7. */
type Encapsulation = {
  readonly encapsulate: (publicKey: native.KeyObject) => { readonly sharedKey: Buffer; readonly ciphertext: Buffer };
  readonly decapsulate: (privateKey: native.KeyObject, ciphertext: Bytes) => Buffer;
};

/** The DER headers before a seed of 64 bytes in PKCS #8 and before a public key (RFC 9935 sections 4 and 6). */
const mlkemSeedPrefix = "3054020100300b060960864801650304040204428040";
const mlkemPublicPrefix = "308204b2300b0609608648016503040402038204a100";

/** ML-KEM-768 of the platform, which draws the message of an encapsulation itself. */
const mlkem768: make.Kem = {
  publicKeySize: 1184,
  ciphertextSize: 1088,
  generate(random) {
    const { decapsulate } = native as unknown as Encapsulation;
    const seed = random(64);
    const der = concat(fromHex(mlkemSeedPrefix), seed);
    const key = native.createPrivateKey({ key: Buffer.from(der.buffer), format: "der", type: "pkcs8" });
    der.fill(0);
    seed.fill(0);
    const spki = native.createPublicKey(key).export({ format: "der", type: "spki" });
    return {
      publicKey: plain(spki.subarray(-1184)),
      decapsulate: (ciphertext) => plain(decapsulate(key, ciphertext)),
    };
  },
  encapsulate(publicKey) {
    const der = concat(fromHex(mlkemPublicPrefix), publicKey);
    // OpenSSL rejects a key that is not reduced (FIPS 203 section 7.2).
    const key = native.createPublicKey({ key: Buffer.from(der.buffer), format: "der", type: "spki" });
    const { sharedKey, ciphertext } = (native as unknown as Encapsulation).encapsulate(key);
    return { ciphertext: plain(ciphertext), secret: plain(sharedKey) };
  },
};

/** Creates `mlkem768x25519-sha256` from an ML-KEM-768 and the X25519 of `node:crypto`. */
export const mlkem768X25519With = (kem: make.Kem): KexMethod => make.createMlkem768X25519(sha256, kem, x25519);

export const mlkem768X25519Sha256: KexMethod = /* @__PURE__ */ mlkem768X25519With(mlkem768);
export const sntrup761X25519Sha512: KexMethod = /* @__PURE__ */ make.createSntrup761X25519(
  "sntrup761x25519-sha512",
  sha512,
  x25519,
);
export const sntrup761X25519Sha512OpenSsh: KexMethod = /* @__PURE__ */ make.createSntrup761X25519(
  "sntrup761x25519-sha512@openssh.com",
  sha512,
  x25519,
);
export const curve25519Sha256: KexMethod = /* @__PURE__ */ make.createCurve25519("curve25519-sha256", sha256, x25519);
export const curve25519Sha256Libssh: KexMethod = /* @__PURE__ */ make.createCurve25519(
  "curve25519-sha256@libssh.org",
  sha256,
  x25519,
);
export const ecdhNistp256: KexMethod = /* @__PURE__ */ make.createEcdh(make.nistp256, sha256, prime256v1);
export const ecdhNistp384: KexMethod = /* @__PURE__ */ make.createEcdh(make.nistp384, sha384, secp384r1);
export const ecdhNistp521: KexMethod = /* @__PURE__ */ make.createEcdh(make.nistp521, sha512, secp521r1);

export * from "./modp.ts";

// ---- public keys

export * from "./certificate-algorithms.ts";
export { ecdsaNistp256, ecdsaNistp384, ecdsaNistp521, rsaSha2_256, rsaSha2_512, sshEd25519 } from "./public-keys.ts";
