/** Encryption of PKCS #8 and PKCS #12: PBES2 (RFC 8018 section 6.2), also with scrypt (RFC 7914). @module */
import type { Bytes } from "@postern/wire";
import type { KeyFileCrypto, KeyFileHash } from "./crypto.ts";
import { type DerReader, DerTag } from "./der.ts";
import { type AskPassphrase, unsupported, wrongPassphrase } from "./failures.ts";
import { checkCost, checkScryptCost, KeyFileLimits } from "./limits.ts";

const pbes2 = "1.2.840.113549.1.5.13";
const pbkdf2 = "1.2.840.113549.1.5.12";
const scrypt = "1.3.6.1.4.1.11591.4.11";
/** RFC 8018 appendix B.1 */
const prfs: Readonly<Record<string, KeyFileHash>> = {
  "1.2.840.113549.2.7": "sha1",
  "1.2.840.113549.2.9": "sha256",
  "1.2.840.113549.2.10": "sha384",
  "1.2.840.113549.2.11": "sha512",
};
/** NIST CSOR: key sizes of AES-CBC */
const ciphers: Readonly<Record<string, number>> = {
  "2.16.840.1.101.3.4.1.2": 16,
  "2.16.840.1.101.3.4.1.22": 24,
  "2.16.840.1.101.3.4.1.42": 32,
};

/** Derives a key of `size` bytes. */
type Kdf = (password: Bytes, size: number) => Promise<Bytes>;

/**
 * Decrypts with the algorithm of an AlgorithmIdentifier.
 * @param convert the command that converts a file with another algorithm
 * @throws SshError `passphrase` if the padding is wrong, `unsupported` for another algorithm
 */
export async function decryptPbes2(
  algorithm: DerReader,
  data: Bytes,
  ask: AskPassphrase,
  crypto: KeyFileCrypto,
  convert: string,
): Promise<Bytes> {
  const scheme = algorithm.oid();
  if (scheme !== pbes2) throw unsupported(`a key encrypted with the scheme ${scheme}`, convert);
  const parameters = algorithm.nested();
  algorithm.end();
  const kdf = readKdf(parameters.nested(), crypto, convert);
  const encryption = parameters.nested();
  parameters.end();
  const cipher = encryption.oid();
  const keySize = ciphers[cipher];
  if (keySize === undefined) throw unsupported(`a key encrypted with the cipher ${cipher}`, convert);
  const iv = encryption.octets();
  encryption.end();
  if (iv.length !== 16 || data.length === 0 || data.length % 16 !== 0) throw new RangeError("expected whole blocks");
  const derive = kdf(keySize);
  const key = await derive(await ask("PBES2"), keySize);
  const text = removePadding(crypto.aesCbc(key, iv, data), 16);
  key.fill(0);
  return text;
}

/** Removes the padding of RFC 8018 section 6.1.1. @throws SshError `passphrase` if it is wrong */
export function removePadding(text: Bytes, blockSize: number): Bytes {
  const size = text[text.length - 1] ?? 0;
  const end = text.length - size;
  if (size === 0 || size > blockSize || text.subarray(end).some((byte) => byte !== size)) throw wrongPassphrase();
  return text.subarray(0, end);
}

/** Reads and checks the parameters before the passphrase is needed. */
function readKdf(reader: DerReader, crypto: KeyFileCrypto, convert: string): (keySize: number) => Kdf {
  const name = reader.oid();
  const parameters = reader.nested();
  reader.end();
  if (name !== pbkdf2 && name !== scrypt) throw unsupported(`a key derived with ${name}`, convert);
  const salt = parameters.octets();
  if (name === scrypt) {
    const cost = { n: parameters.number(), r: parameters.number(), p: parameters.number() };
    checkScryptCost(cost);
    return withKeySize(parameters, (password, size) => crypto.scrypt(password, salt, cost, size));
  }
  const iterations = parameters.number();
  checkCost("iterations of PBKDF2", iterations, KeyFileLimits.pbkdf2Iterations);
  let hash: KeyFileHash = "sha1";
  return withKeySize(
    parameters,
    (password, size) => crypto.pbkdf2(hash, password, salt, iterations, size),
    () => {
      if (parameters.tag === undefined) return;
      const prf = parameters.nested();
      const prfName = prf.oid();
      prf.optionalNull();
      prf.end();
      const found = prfs[prfName];
      if (found === undefined) throw unsupported(`a key derived with the hash ${prfName}`, convert);
      hash = found;
    },
  );
}

/** Reads the optional key length and what follows, and checks the length against the cipher. */
function withKeySize(parameters: DerReader, derive: Kdf, readRest = (): void => {}): (keySize: number) => Kdf {
  const given = parameters.tag === DerTag.INTEGER ? parameters.number() : undefined;
  readRest();
  parameters.end();
  return (keySize) => {
    if (given !== undefined && given !== keySize) throw new RangeError("expected the key length of the cipher");
    return derive;
  };
}
