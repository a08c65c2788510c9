/** SSH algorithms, built from the primitives that a provider supplies: interfaces, key exchanges, ciphers, signature schemes. @module */
export * from "./aes-ctr.ts";
export * from "./aes-gcm.ts";
export type * from "./algorithms.ts";
export * from "./chacha20-poly1305.ts";
export type { Cipher, DirectionKeys, PacketOpener, PacketSealer, PacketShape } from "./cipher.ts";
export type * from "./kdf.ts";
export * from "./kex/curve25519.ts";
export * from "./kex/diffie-hellman.ts";
export * from "./kex/ecdh.ts";
export type * from "./kex.ts";
export * from "./mac.ts";
export * from "./nist.ts";
export * from "./publickey/ecdsa.ts";
export * from "./publickey/ed25519.ts";
export * from "./publickey/rsa.ts";
export * from "./publickey.ts";
export * from "./random.ts";
export * from "./self-test.ts";
