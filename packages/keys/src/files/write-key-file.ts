/** Encrypts private keys. @module */
import type { Random } from "@postern/crypto";
import { utf8, Writer } from "@postern/wire";
import { encodeFile, encodeSecret } from "../encode-private-key.ts";
import type { PrivateKeyJwk } from "../jwk.ts";
import type { PrivateKey, PublicHalf } from "../key-types.ts";
import { bcryptPbkdf } from "./bcrypt-pbkdf.ts";
import type { KeyFileCrypto } from "./crypto.ts";
import { readJwk } from "./read-jwk.ts";

/** The defaults of ssh-keygen since OpenSSH 9.4. */
const cipher = "aes256-ctr";
const rounds = 24;
const saltSize = 16;

/** Returns the text of an encrypted key file. */
export async function encodeEncrypted(
  key: PrivateKey,
  passphrase: string,
  random: Random,
  crypto: KeyFileCrypto,
): Promise<string> {
  const salt = random(saltSize);
  const sha512 = (data: Uint8Array) => crypto.digest("sha512", data);
  const derived = await bcryptPbkdf(sha512, utf8(passphrase), salt, rounds, 32 + 16);
  const secret = encodeSecret(key, random, 16);
  const sealed = crypto.aesCtr(derived.subarray(0, 32), derived.subarray(32), secret);
  derived.fill(0);
  secret.fill(0);
  return encodeFile(cipher, "bcrypt", new Writer().string(salt).uint32(rounds).finish(), key.publicKey, sealed);
}

/** Converts and checks a key that the platform generated. */
export function keyOfJwk(jwk: PrivateKeyJwk, comment: string, publicHalf: PublicHalf): PrivateKey {
  return { ...readJwk(JSON.stringify(jwk), publicHalf), comment };
}
