/** Encrypted files in the OpenSSH format (OpenSSH PROTOCOL.key; ciphers of sshkey.c and cipher.c). @module */
import { type Bytes, concat, equal, Reader } from "@postern/wire";
import type { PrivateKey, PublicHalf } from "../key-types.ts";
import { type Envelope, readSecret } from "../private-key.ts";
import { bcryptPbkdf } from "./bcrypt-pbkdf.ts";
import type { KeyFileCrypto } from "./crypto.ts";
import { type AskPassphrase, damaged, nameOr, unsupported, wrongPassphrase } from "./failures.ts";
import { checkCost, KeyFileLimits } from "./limits.ts";

interface FileCipher {
  readonly keySize: number;
  readonly ivSize: number;
  readonly blockSize: number;
  readonly tagSize: number;
  /** Returns `undefined` if the tag is wrong. `data` ends with the tag. */
  decrypt(key: Bytes, iv: Bytes, data: Bytes, crypto: KeyFileCrypto): Bytes | undefined;
}

const aes = (keySize: number, mode: "aesCbc" | "aesCtr"): FileCipher => ({
  keySize,
  ivSize: 16,
  blockSize: 16,
  tagSize: 0,
  decrypt: (key, iv, data, crypto) => crypto[mode](key, iv, data),
});

const gcm = (keySize: number): FileCipher => ({
  keySize,
  ivSize: 12,
  blockSize: 16,
  tagSize: 16,
  decrypt: (key, iv, data, crypto) => crypto.aesGcm(key, iv, data),
});

/** As PROTOCOL.chacha20poly1305 with sequence number 0 and without a length: the second half of the key is unused. */
const chacha: FileCipher = {
  keySize: 64,
  ivSize: 0,
  blockSize: 8,
  tagSize: 16,
  decrypt(key, _iv, data, { chacha20, poly1305 }) {
    const sealed = data.subarray(0, -16);
    const { macKey, data: text } = chacha20.split(key.subarray(0, 32), new Uint8Array(8), sealed);
    return equal(poly1305(sealed, macKey), data.subarray(-16)) ? text : undefined;
  },
};

function cipherOf(name: string): FileCipher | undefined {
  switch (name) {
    case "aes128-ctr":
    case "aes192-ctr":
    case "aes256-ctr":
      return aes(Number(name.slice(3, 6)) / 8, "aesCtr");
    case "aes128-cbc":
    case "aes192-cbc":
    case "aes256-cbc":
      return aes(Number(name.slice(3, 6)) / 8, "aesCbc");
    case "aes128-gcm@openssh.com":
    case "aes256-gcm@openssh.com":
      return gcm(Number(name.slice(3, 6)) / 8);
    case "chacha20-poly1305@openssh.com":
      return chacha;
    default:
      return undefined;
  }
}

/**
 * Decrypts and reads a key.
 * @throws SshError `passphrase` if the tag or the check numbers are wrong, `limit` for more rounds than we compute
 */
export async function readEncryptedOpenSsh(
  envelope: Envelope,
  ask: AskPassphrase,
  publicHalf: PublicHalf,
  crypto: KeyFileCrypto,
): Promise<PrivateKey> {
  const { cipher: name, kdf, kdfOptions, publicKey, secret, tag } = envelope;
  const cipher = cipherOf(name);
  const how = `${nameOr(name, "an unknown cipher")} with ${nameOr(kdf, "an unknown key derivation")}`;
  if (cipher === undefined || kdf !== "bcrypt") throw unsupported(`a key encrypted by ${how}`, "ssh-keygen -p -f FILE");
  const options = new Reader(kdfOptions, "private key");
  const salt = options.string();
  const rounds = options.uint32();
  options.end();
  if (salt.length === 0) throw damaged("OpenSSH format");
  checkCost("rounds of bcrypt", rounds, KeyFileLimits.bcryptRounds);
  const { keySize, ivSize, blockSize, tagSize } = cipher;
  if (secret.length === 0 || secret.length % blockSize !== 0 || tag.length !== tagSize) throw damaged("OpenSSH format");
  const sha512 = (data: Bytes) => crypto.digest("sha512", data);
  const derived = await bcryptPbkdf(sha512, await ask(how), salt, rounds, keySize + ivSize);
  const text = cipher.decrypt(derived.subarray(0, keySize), derived.subarray(keySize), concat(secret, tag), crypto);
  derived.fill(0);
  if (text === undefined || !checksMatch(text)) throw wrongPassphrase();
  return readSecret(text, publicKey, publicHalf, blockSize);
}

/** The same random number twice shows that the passphrase is right (PROTOCOL.key section 3). */
function checksMatch(text: Bytes): boolean {
  return equal(text.subarray(0, 4), text.subarray(4, 8));
}
