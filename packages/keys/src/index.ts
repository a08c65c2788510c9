/** Key files and fingerprints. @module */
export * from "./fingerprint.ts";
export * from "./generate.ts";
export * from "./jwk.ts";
export {
  decodePrivateKey,
  type EcdsaPrivateKey,
  type Ed25519PrivateKey,
  type PrivateKey,
  type RsaPrivateKey,
} from "./private-key.ts";
export { describePublicKey, formatPublicKey, keyType, type PublicKeyLine, parsePublicKey } from "./public-key.ts";
export * from "./signer.ts";
