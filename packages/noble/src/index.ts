/** Algorithms and key files in pure JavaScript, based on the `@noble` packages. @module */
export * from "./aes-ctr.ts";
export * from "./aes-gcm.ts";
export * from "./algorithms.ts";
export * from "./chacha20-poly1305.ts";
export * from "./hash.ts";
export * from "./hmac-sha1.ts";
export * from "./kdf.ts";
export { curve25519Sha256, curve25519Sha256Libssh } from "./kex/curve25519.ts";
export * from "./kex/ecdh.ts";
export * from "./kex/mlkem.ts";
export * from "./kex/modp.ts";
export * from "./kex/sntrup.ts";
export {
  ecdsaOf,
  generatePrivateKey,
  loadKeyFileCrypto,
  parsePrivateKey,
  publicHalf,
  sha256Fingerprint,
} from "./keys.ts";
export * from "./mac.ts";
export * from "./mlkem768.ts";
export * from "./publickey/certificates.ts";
export * from "./publickey/ecdsa.ts";
export * from "./publickey/ed25519.ts";
export * from "./publickey/rsa.ts";
export * from "./publickey/security-key.ts";
export * from "./signer.ts";
