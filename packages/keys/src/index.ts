/** Key files, public keys and fingerprints: bytes and text. A provider supplies the primitives. @module */

export type { Certificate } from "@postern/crypto";
export * from "./agent-keys.ts";
export * from "./agent-messages.ts";
export {
  certificateOption,
  isCertificate,
  parseCertificate,
  plainName,
} from "./certificate.ts";
export * from "./certificate-signer.ts";
export {
  type CertificateConditions,
  checkCertificate,
  checkConditions as checkCertificateConditions,
  checkSignature as checkCertificateSignature,
} from "./check-certificate.ts";
export { createFingerprint, parseFingerprint } from "./fingerprint.ts";
export * from "./jwk.ts";
export type * from "./key-types.ts";
export {
  formatKnownHostsLine,
  type HmacSha1,
  KnownHostsLimits,
  type KnownHostsLine,
  type KnownKey,
  knownHostsName,
  knownKey,
  knownKeys,
  matchesKnownHost,
  parseKnownHosts,
} from "./known-hosts.ts";
export * from "./known-hosts-verdict.ts";
export { matchPattern } from "./match-pattern.ts";
export { createKeyGenerator, createPrivateKeyParser, type GenerateOptions } from "./private-key.ts";
export { describePublicKey, formatPublicKey, keyType, type PublicKeyLine, parsePublicKey } from "./public-key.ts";
export { parseRevokedKeys, type RevokedKeys } from "./revoked-keys.ts";
export * from "./signer.ts";
