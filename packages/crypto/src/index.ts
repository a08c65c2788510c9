/** Floor 1: algorithms as values. @module */
export * from "./noble/aes-ctr.ts";
export * from "./noble/aes-gcm.ts";
export * from "./noble/algorithms.ts";
export * from "./noble/chacha20-poly1305.ts";
export * from "./noble/hash.ts";
export * from "./noble/hostkey/ecdsa.ts";
export * from "./noble/hostkey/ed25519.ts";
export * from "./noble/hostkey/rsa.ts";
export * from "./noble/kdf.ts";
export * from "./noble/kex/curve25519.ts";
export * from "./noble/kex/ecdh.ts";
export * from "./noble/mac.ts";
export * from "./platform.ts";
