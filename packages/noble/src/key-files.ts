/** The primitives of key files in pure JavaScript. Loaded only if a file needs them. @module */
import { cbc, ctr, gcm } from "@noble/ciphers/aes.js";
import { argon2dAsync, argon2iAsync, argon2idAsync } from "@noble/hashes/argon2.js";
import { hmac } from "@noble/hashes/hmac.js";
import { md5, sha1 } from "@noble/hashes/legacy.js";
import { pbkdf2Async } from "@noble/hashes/pbkdf2.js";
import { sha256, sha384, sha512 } from "@noble/hashes/sha2.js";
import type { KeyFileCrypto } from "@postern/keys";
import { chacha20, poly1305 } from "./chacha20-poly1305.ts";
import { scrypt } from "./kdf.ts";

/** MD5, SHA-1 and CBC serve to read old files, and are in no set of algorithms. */
const hashes = { md5, sha1, sha256, sha384, sha512 } as const;
const variants = { argon2id: argon2idAsync, argon2i: argon2iAsync, argon2d: argon2dAsync } as const;

export const keyFileCrypto: KeyFileCrypto = {
  digest: (hash, data) => hashes[hash](data),
  hmac: (hash, key, data) => hmac(hashes[hash], key, data),
  pbkdf2: (hash, password, salt, iterations, size) =>
    pbkdf2Async(hashes[hash], password, salt, { c: iterations, dkLen: size }),
  scrypt,
  argon2: (variant, password, salt, cost, size) => variants[variant](password, salt, { ...cost, dkLen: size }),
  aesCbc: (key, iv, data) => cbc(key, iv, { disablePadding: true }).decrypt(data),
  aesCtr: (key, iv, data) => ctr(key, iv).encrypt(data),
  aesGcm(key, nonce, data) {
    try {
      return gcm(key, nonce).decrypt(data);
    } catch {
      // Only the tag can be wrong, because all sizes were checked before.
      return undefined;
    }
  },
  chacha20,
  poly1305,
};
