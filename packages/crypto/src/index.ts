/** SSH algorithms, built from primitives: ciphers, MACs, key exchanges, public key algorithms. @module */
export * from "./aes-ctr.ts";
export * from "./aes-gcm.ts";
export * from "./algorithms.ts";
export * from "./certificate-names.ts";
export * from "./chacha20-poly1305.ts";
export {
  type Cipher,
  checkKeys,
  checkPacketSize,
  type DirectionKeys,
  type PacketOpener,
  type PacketSealer,
  type PacketShape,
} from "./cipher.ts";
export type * from "./kdf.ts";
export { createCurve25519 } from "./kex/curve25519.ts";
export { createEcdh, type EphemeralKey } from "./kex/ecdh.ts";
export * from "./kex/group-exchange.ts";
export * from "./kex/hybrid.ts";
export { createModp, type Modp, type ModpGroup, modpGroup } from "./kex/modp.ts";
export * from "./kex/sntrup761.ts";
export * from "./kex.ts";
export * from "./mac.ts";
export * from "./nist.ts";
export * from "./publickey/ecdsa.ts";
export * from "./publickey/ed25519.ts";
export * from "./publickey/rsa.ts";
export * from "./publickey/security-key.ts";
export * from "./publickey.ts";
