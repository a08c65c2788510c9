/** The primitives that key files need and SSH does not negotiate. A provider supplies them. @module */
import type { Argon2Cost, ChaCha20, Poly1305, ScryptCost } from "@postern/crypto";
import type { Bytes } from "@postern/wire";

/** Hash functions of key files. MD5 and SHA-1 serve to read old files only. */
export type KeyFileHash = "md5" | "sha1" | "sha256" | "sha384" | "sha512";

/** A provider's primitives for key files. No function changes its arguments; all results are new arrays. */
export interface KeyFileCrypto {
  digest(hash: KeyFileHash, data: Bytes): Bytes;
  hmac(hash: KeyFileHash, key: Bytes, data: Bytes): Bytes;
  pbkdf2(hash: KeyFileHash, password: Bytes, salt: Bytes, iterations: number, size: number): Promise<Bytes>;
  scrypt(password: Bytes, salt: Bytes, cost: ScryptCost, size: number): Promise<Bytes>;
  /** Argon2 version 1.3 (RFC 9106). */
  argon2(
    variant: "argon2id" | "argon2i" | "argon2d",
    password: Bytes,
    salt: Bytes,
    cost: Argon2Cost,
    size: number,
  ): Promise<Bytes>;
  /** Decrypts whole blocks with AES-CBC, without removing the padding. */
  aesCbc(key: Bytes, iv: Bytes, data: Bytes): Bytes;
  /** Encrypts or decrypts with AES-CTR. */
  aesCtr(key: Bytes, iv: Bytes, data: Bytes): Bytes;
  /** Decrypts with AES-GCM. The last 16 bytes are the tag. Returns `undefined` if it is wrong. */
  aesGcm(key: Bytes, nonce: Bytes, data: Bytes): Bytes | undefined;
  /** Decrypts whole blocks with triple DES in CBC mode, if the platform has it. */
  readonly tripleDesCbc?: (key: Bytes, iv: Bytes, data: Bytes) => Bytes;
  readonly chacha20: ChaCha20;
  readonly poly1305: Poly1305;
}
