/** The primitives of key files with `node:crypto`, or in JavaScript if it lacks one. @module */
import {
  type CipherGCMTypes,
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  getCiphers,
  pbkdf2,
} from "node:crypto";
import type { KeyFileCrypto } from "@postern/keys";
import type { Bytes } from "@postern/wire";
import { keyErrors } from "./key-errors.ts";
import { nativeScrypt } from "./scrypt.ts";

const tagSize = 16;

/** Loads `@postern/noble`, too, for Argon2, which Node.js 20 lacks, and ChaCha20, which other runtimes lack. */
export async function createKeyFileCrypto(): Promise<KeyFileCrypto> {
  const { loadKeyFileCrypto } = await import("@postern/noble");
  const portable = await loadKeyFileCrypto();
  return {
    // MD5, SHA-1, CBC and triple DES serve to read old files, and are in no set of algorithms.
    digest: (hash, data) => keyErrors("to hash", () => plain(createHash(hash).update(data).digest())),
    hmac: (hash, key, data) => keyErrors("to hash", () => plain(createHmac(hash, key).update(data).digest())),
    pbkdf2: (hash, password, salt, iterations, size) =>
      new Promise((resolve, reject) => {
        pbkdf2(password, salt, iterations, size, hash, (error, key) => {
          if (error) portable.pbkdf2(hash, password, salt, iterations, size).then(resolve, reject);
          else resolve(plain(key));
        });
      }),
    scrypt: (password, salt, cost, size) =>
      // OpenSSL limits the cost.
      nativeScrypt(password, salt, cost, size).catch(() => portable.scrypt(password, salt, cost, size)),
    argon2: (...input) => portable.argon2(...input),
    aesCbc: (key, iv, data) => decrypt(`aes-${8 * key.length}-cbc`, key, iv, data),
    aesCtr: (key, iv, data) => decrypt(`aes-${8 * key.length}-ctr`, key, iv, data),
    aesGcm(key, nonce, data) {
      const decipher = keyErrors("to support AES-GCM", () =>
        createDecipheriv(`aes-${8 * key.length}-gcm` as CipherGCMTypes, key, nonce, { authTagLength: tagSize }),
      );
      const text = decipher.setAuthTag(data.subarray(-tagSize)).update(data.subarray(0, -tagSize));
      try {
        decipher.final();
      } catch {
        return undefined;
      }
      return plain(text);
    },
    ...(getCiphers().includes("des-ede3-cbc") && {
      tripleDesCbc: (key, iv, data) => decrypt("des-ede3-cbc", key, iv, data),
    }),
    chacha20: portable.chacha20,
    poly1305: portable.poly1305,
  };
}

function decrypt(cipher: string, key: Bytes, iv: Bytes, data: Bytes): Bytes {
  return keyErrors(`to support ${cipher}`, () => {
    // CTR is the same in both directions.
    const decipher = cipher.endsWith("-ctr") ? createCipheriv(cipher, key, iv) : createDecipheriv(cipher, key, iv);
    return plain(decipher.setAutoPadding(false).update(data));
  });
}

/** Returns a plain array, because `slice` of a Buffer does not copy. */
function plain(buffer: Buffer): Bytes {
  return Uint8Array.from(buffer);
}
