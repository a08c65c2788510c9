/** SHA-2 (FIPS 180-4), and HMAC-SHA1 for known_hosts, in pure JavaScript. @module */
import { hmac } from "@noble/hashes/hmac.js";
import { sha1 } from "@noble/hashes/legacy.js";
import { sha256 as nobleSha256, sha384 as nobleSha384, sha512 as nobleSha512 } from "@noble/hashes/sha2.js";
import type { Hash } from "@postern/crypto";
import type { HmacSha1 } from "@postern/keys";

/** SHA-256, 32 bytes. */
export const sha256: Hash = { name: "sha256", size: 32, digest: (data) => nobleSha256(data) };

/** SHA-384, 48 bytes. */
export const sha384: Hash = { name: "sha384", size: 48, digest: (data) => nobleSha384(data) };

/** SHA-512, 64 bytes. */
export const sha512: Hash = { name: "sha512", size: 64, digest: (data) => nobleSha512(data) };

/** HMAC-SHA1 (RFC 2104), which hides host names in known_hosts files. Nothing negotiates it. */
export const hmacSha1: HmacSha1 = (key, data) => hmac(sha1, key, data);
