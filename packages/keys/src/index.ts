/** Key files, public keys and fingerprints: bytes and text. A provider supplies the primitives. @module */
export * from "./agent-keys.ts";
export * from "./agent-messages.ts";
export { createFingerprint, parseFingerprint } from "./fingerprint.ts";
export * from "./jwk.ts";
export type * from "./key-types.ts";
export { createKeyGenerator, createPrivateKeyParser, type GenerateOptions } from "./private-key.ts";
export { describePublicKey, formatPublicKey, keyType, type PublicKeyLine, parsePublicKey } from "./public-key.ts";
export * from "./signer.ts";
