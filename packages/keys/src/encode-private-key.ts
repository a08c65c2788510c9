/** Encodes private keys in the OpenSSH format (OpenSSH PROTOCOL.key). @module */
import type { Random } from "@postern/crypto";
import { type Bytes, concat, toBase64, utf8, Writer } from "@postern/wire";
import type { PrivateKey } from "./key-types.ts";
import { blockSize, label, magic } from "./private-key.ts";

/** Encodes the secret part (PROTOCOL.key section 3), padded to the block size of a cipher. */
export function encodeSecret(key: PrivateKey, random: Random, cipherBlock: number): Bytes {
  // The same number twice: a reader of an encrypted file compares them to detect a wrong passphrase.
  const check = random(4);
  const secret = new Writer(512).raw(check).raw(check).text(key.type);
  switch (key.type) {
    case "ssh-ed25519":
      secret.string(key.point).string(concat(key.seed, key.point));
      break;
    case "ssh-rsa":
      secret.mpint(key.modulus).mpint(key.exponent).mpint(key.privateExponent);
      secret.mpint(key.coefficient).mpint(key.prime1).mpint(key.prime2);
      break;
    default:
      secret.text(key.curve.name).string(key.point).mpint(key.scalar);
  }
  const unpadded = secret.text(key.comment).finish();
  const padding = (cipherBlock - (unpadded.length % cipherBlock)) % cipherBlock;
  return concat(
    unpadded,
    Uint8Array.from({ length: padding }, (_, i) => i + 1),
  );
}

/** Returns the text of a file that is not encrypted. */
export function encodePlain(key: PrivateKey, random: Random): string {
  return encodeFile("none", "none", new Uint8Array(0), key.publicKey, encodeSecret(key, random, blockSize));
}

/** Encodes the file (PROTOCOL.key section 1). */
export function encodeFile(cipher: string, kdf: string, kdfOptions: Bytes, publicKey: Bytes, secret: Bytes): string {
  const file = new Writer(1024).raw(utf8(magic)).text(cipher).text(kdf).string(kdfOptions).uint32(1);
  const base64 = toBase64(file.string(publicKey).string(secret).finish());
  return `-----BEGIN ${label}-----\n${base64.replace(/.{1,70}/g, "$&\n")}-----END ${label}-----\n`;
}
