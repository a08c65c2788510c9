/** SHA-2 (FIPS 180-4) in pure JavaScript. @module */
import { sha256 as nobleSha256, sha384 as nobleSha384, sha512 as nobleSha512 } from "@noble/hashes/sha2.js";
import type { Hash } from "@postern/crypto";

/** SHA-256, 32 bytes. */
export const sha256: Hash = { name: "sha256", size: 32, digest: (data) => nobleSha256(data) };

/** SHA-384, 48 bytes. */
export const sha384: Hash = { name: "sha384", size: 48, digest: (data) => nobleSha384(data) };

/** SHA-512, 64 bytes. */
export const sha512: Hash = { name: "sha512", size: 64, digest: (data) => nobleSha512(data) };
