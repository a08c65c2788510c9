/** Reads every format of private keys. @module */
import { type Bytes, describeType, fromBase64, fromUtf8, SshError, utf8 } from "@postern/wire";
import type { AnyPair } from "../key-pair.ts";
import type { Passphrase, PrivateKey, PublicHalf } from "../key-types.ts";
import { openEnvelope, unwrap } from "../private-key.ts";
import type { KeyFileCrypto } from "./crypto.ts";
import { type AskPassphrase, parsing } from "./failures.ts";
import { readEncryptedOpenSsh } from "./openssh.ts";
import { readPem } from "./pem.ts";
import { kindOfDer, readEncryptedPkcs8, readPkcs1, readPkcs8, readSec1 } from "./pkcs8.ts";
import { readPkcs12 } from "./pkcs12.ts";
import { readPpk } from "./ppk.ts";
import { readJwk } from "./read-jwk.ts";

/**
 * Reads a private key for which `needsKeyFileReader` returns true: encrypted OpenSSH, PKCS #8, PKCS #1 and SEC 1 as PEM
 * or DER, PuTTY, PKCS #12, JWK.
 *
 * @param passphrase called at most once, if the file is encrypted
 * @throws SshError `passphrase` if the passphrase is missing or wrong, `key` if the file is damaged, `unsupported` for
 *   another format or type of key, `limit` if decrypting takes too much work
 */
export async function readKeyFile(
  file: string | Bytes,
  passphrase: Passphrase | undefined,
  publicHalf: PublicHalf,
  crypto: KeyFileCrypto,
): Promise<PrivateKey> {
  const ask = asker(passphrase);
  if (typeof file !== "string" && file[0] === 0x30) return withoutComment(await readDer(file, ask, publicHalf, crypto));
  const text = typeof file === "string" ? file : fromUtf8(file);
  if (/^\s*PuTTY-/.test(text)) {
    return parsing("PuTTY format", () =>
      readPpk(typeof file === "string" ? utf8(file) : file, ask, publicHalf, crypto),
    );
  }
  if (/^\s*\{/.test(text)) return withoutComment(await parsing("JWK", () => readJwk(text, publicHalf)));
  if (/-----BEGIN (?:ENCRYPTED |RSA |EC )?PRIVATE KEY-----/.test(text)) {
    return withoutComment(await parsing("PEM", () => readPem(text, ask, publicHalf, crypto)));
  }
  return parsing("OpenSSH format", () =>
    readEncryptedOpenSsh(openEnvelope(fromBase64(unwrap(text))), ask, publicHalf, crypto),
  );
}

function readDer(der: Bytes, ask: AskPassphrase, publicHalf: PublicHalf, crypto: KeyFileCrypto): Promise<AnyPair> {
  return parsing("DER", () => {
    switch (kindOfDer(der)) {
      case "pkcs12":
        return readPkcs12(der, ask, publicHalf, crypto);
      case "encrypted":
        return readEncryptedPkcs8(der, ask, publicHalf, crypto);
      case "pkcs8":
        return readPkcs8(der, publicHalf);
      case "pkcs1":
        return readPkcs1(der, publicHalf);
      case "sec1":
        return readSec1(der, publicHalf);
    }
  });
}

function withoutComment(pair: AnyPair): PrivateKey {
  return { ...pair, comment: "" };
}

function asker(passphrase: Passphrase | undefined): AskPassphrase {
  return async (how) => {
    if (passphrase === undefined) {
      throw new SshError(
        "passphrase",
        `expected the passphrase of the private key, which is encrypted (${how}), got none; pass the option passphrase`,
      );
    }
    const text: unknown = typeof passphrase === "function" ? await passphrase() : passphrase;
    if (typeof text === "string") return utf8(text);
    throw new SshError("misuse", `expected passphrase to return a string, got ${describeType(text)}`);
  };
}
