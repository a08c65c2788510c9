/** Key files, public keys and fingerprints: bytes and text. A provider supplies the primitives. @module */
export { createFingerprint, parseFingerprint } from "./fingerprint.ts";
export * from "./generate.ts";
export * from "./jwk.ts";
export {
  createPrivateKeyParser,
  type EcdsaPrivateKey,
  type Ed25519PrivateKey,
  type PrivateKey,
  type RsaPrivateKey,
} from "./private-key.ts";
export type * from "./public-half.ts";
export { describePublicKey, formatPublicKey, keyType, type PublicKeyLine, parsePublicKey } from "./public-key.ts";
export * from "./signer.ts";
