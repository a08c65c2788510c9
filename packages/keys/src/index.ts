/** Key files, public keys and fingerprints: bytes and text. A provider supplies the primitives. @module */

export type { KeyFileCrypto, KeyFileHash } from "./files/crypto.ts";
export { createFingerprint, parseFingerprint } from "./fingerprint.ts";
export {
  createKeyGenerator,
  type GenerateOptions,
  type GeneratePrivateKey,
  type GeneratorPlatform,
  type PlainGenerateOptions,
} from "./generate.ts";
export * from "./jwk.ts";
export {
  checkReadOptions,
  createKeyReader,
  type KeyReaderPlatform,
  loadKeyFiles,
  type Passphrase,
  type ReadPrivateKeyOptions,
} from "./key-reader.ts";
export type * from "./key-types.ts";
export { createPrivateKeyParser, needsKeyFileReader } from "./private-key.ts";
export { describePublicKey, formatPublicKey, keyType, type PublicKeyLine, parsePublicKey } from "./public-key.ts";
export * from "./signer.ts";
