/** What needs no @noble: key files and fingerprints for a platform that brings its own hash and curves. @module */
export { fingerprintWith, parseFingerprint } from "./fingerprint.ts";
export * from "./generate.ts";
export * from "./jwk.ts";
export {
  decoderWith,
  type EcdsaPrivateKey,
  type Ed25519PrivateKey,
  type PrivateKey,
  type RsaPrivateKey,
} from "./private-key.ts";
export type * from "./public-half.ts";
export { describePublicKey, formatPublicKey, keyType, type PublicKeyLine, parsePublicKey } from "./public-key.ts";
export * from "./signer.ts";
