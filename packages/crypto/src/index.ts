/** What needs no @noble: makers of algorithms for a platform that brings its own primitives, their types, and helpers. @module */

export * from "@postern/web";
export * from "./aes-ctr.ts";
export * from "./aes-gcm.ts";
export type * from "./algorithms.ts";
export * from "./chacha20-poly1305.ts";
export type { Cipher, DirectionKeys, Opener, PacketShape, Sealer } from "./cipher.ts";
export * from "./hostkey/ecdsa.ts";
export * from "./hostkey/ed25519.ts";
export * from "./hostkey/rsa.ts";
export * from "./hostkey.ts";
export type * from "./kdf.ts";
export * from "./kex/curve25519.ts";
export * from "./kex/diffie-hellman.ts";
export * from "./kex/ecdh.ts";
export type * from "./kex.ts";
export * from "./mac.ts";
export * from "./nist.ts";
export * from "./prefer.ts";
export * from "./random.ts";
