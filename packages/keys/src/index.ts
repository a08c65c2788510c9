/** Key files and fingerprints. @module */
export * from "./noble/fingerprint.ts";
export * from "./noble/generate.ts";
export * from "./noble/private-key.ts";
export * from "./noble/signer.ts";
export * from "./platform.ts";
