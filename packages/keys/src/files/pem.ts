/** PEM blocks (RFC 7468), and the encrypted ones of PEM's first version (RFC 1421 section 4.6). @module */
import { type Bytes, concat, fromBase64, fromHex, SshError } from "@postern/wire";
import type { AnyPair } from "../key-pair.ts";
import type { PublicHalf } from "../key-types.ts";
import type { KeyFileCrypto } from "./crypto.ts";
import { type AskPassphrase, damaged, unsupported } from "./failures.ts";
import { removePadding } from "./pbes2.ts";
import { checkDecrypted, readEncryptedPkcs8, readPkcs1, readPkcs8, readSec1 } from "./pkcs8.ts";

const convert = "ssh-keygen -p -f FILE";

/**
 * Reads the private key of a PEM file. Other blocks, such as certificates, and text outside the blocks are skipped.
 * @throws SshError `key` for several private keys
 */
export async function readPem(
  text: string,
  ask: AskPassphrase,
  publicHalf: PublicHalf,
  crypto: KeyFileCrypto,
): Promise<AnyPair> {
  const { label, headers, body } = findBlock(text);
  const der = fromBase64(body);
  if (label === "PRIVATE KEY") return readPkcs8(der, publicHalf);
  if (label === "ENCRYPTED PRIVATE KEY") return readEncryptedPkcs8(der, ask, publicHalf, crypto);
  const read = label === "RSA PRIVATE KEY" ? readPkcs1 : readSec1;
  if (headers.size === 0) return read(der, publicHalf);
  const plain = await decryptLegacy(headers, der, ask, crypto);
  checkDecrypted(plain);
  return read(plain, publicHalf);
}

interface Block {
  readonly label: string;
  readonly headers: ReadonlyMap<string, string>;
  /** base64 without white space */
  readonly body: string;
}

/** Goes through the lines once, so the time is linear. */
function findBlock(text: string): Block {
  const lines = text.split(/\r\n|\r|\n/);
  const labels = lines.map((line) => /-----BEGIN ((?:ENCRYPTED |RSA |EC )?PRIVATE KEY)-----[ \t]*$/.exec(line)?.[1]);
  const begin = labels.findIndex((label) => label !== undefined);
  const label = labels[begin];
  if (label === undefined) throw damaged("PEM");
  if (labels.some((other, at) => at > begin && other !== undefined)) {
    throw new SshError("key", "expected one private key in the file, got several");
  }
  const end = lines.findIndex((line, at) => at > begin && line.trim() === `-----END ${label}-----`);
  if (end < 0) throw damaged("PEM");
  const content = lines.slice(begin + 1, end).map((line) => line.trim());
  const blank = content.indexOf("");
  const hasHeaders = content[0]?.includes(":") === true && blank > 0;
  const headers = hasHeaders ? content.slice(0, blank) : [];
  return {
    label,
    headers: new Map(headers.map((line) => splitHeader(line))),
    body: content.slice(headers.length).join(""),
  };
}

function splitHeader(line: string): readonly [string, string] {
  const [, name, value] = /^([A-Za-z-]{1,20}): ?(.{0,100})$/.exec(line) ?? [];
  if (name === undefined || value === undefined) throw damaged("PEM");
  return [name, value.trim()];
}

/** OpenSSL's PEM_do_header: the key is MD5 of the passphrase and the first half of the IV, repeated. */
async function decryptLegacy(
  headers: ReadonlyMap<string, string>,
  data: Bytes,
  ask: AskPassphrase,
  crypto: KeyFileCrypto,
): Promise<Bytes> {
  if (headers.get("Proc-Type") !== "4,ENCRYPTED") throw damaged("PEM");
  const [, name, hex] = /^([A-Z0-9-]{1,20}),([0-9A-Fa-f]{1,64})$/.exec(headers.get("DEK-Info") ?? "") ?? [];
  if (name === undefined || hex === undefined) throw damaged("PEM");
  const { keySize, blockSize, decrypt } = legacyCipher(name, crypto);
  const iv = fromHex(hex);
  if (iv.length !== blockSize || data.length === 0 || data.length % blockSize !== 0) throw damaged("PEM");
  const salt = iv.subarray(0, 8);
  const passphrase = await ask(name);
  let key = crypto.digest("md5", concat(passphrase, salt));
  while (key.length < keySize) key = concat(key, crypto.digest("md5", concat(key.subarray(-16), passphrase, salt)));
  const text = decrypt(key.subarray(0, keySize), iv, data);
  key.fill(0);
  return removePadding(text, blockSize);
}

interface LegacyCipher {
  readonly keySize: number;
  readonly blockSize: number;
  readonly decrypt: (key: Bytes, iv: Bytes, data: Bytes) => Bytes;
}

function legacyCipher(name: string, crypto: KeyFileCrypto): LegacyCipher {
  const [, bits] = /^AES-(128|192|256)-CBC$/.exec(name) ?? [];
  if (bits !== undefined) {
    return { keySize: Number(bits) / 8, blockSize: 16, decrypt: (...input) => crypto.aesCbc(...input) };
  }
  const { tripleDesCbc } = crypto;
  if (name !== "DES-EDE3-CBC" || tripleDesCbc === undefined) {
    throw unsupported(`a PEM key encrypted by ${name}`, convert);
  }
  return { keySize: 24, blockSize: 8, decrypt: tripleDesCbc };
}
