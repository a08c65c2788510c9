/** The exchange hash and the keys derived from it, RFC 4253 sections 7.2 and 8. @module */
import type { Cipher, DirectionKeys, Hash, Mac } from "@postern/crypto";
import { type Bytes, concat, utf8, Writer } from "@postern/wire";

/** The values hashed into H, in the order of RFC 4253 section 8 and RFC 5656 section 4. */
export interface ExchangeInputs {
  /** V_C and V_S: the bytes of the identification lines, without CR LF */
  readonly clientVersion: Bytes;
  readonly serverVersion: Bytes;
  readonly clientInit: Bytes;
  readonly serverInit: Bytes;
  readonly hostKey: Bytes;
  /** what a group exchange hashes before the public values (RFC 4419 section 3) */
  readonly group?: Bytes | undefined;
  readonly clientPublic: Bytes;
  readonly serverPublic: Bytes;
  /** K, already encoded */
  readonly secret: Bytes;
}

/** Computes H of RFC 4253 section 8. */
export function exchangeHash(hash: Hash, inputs: ExchangeInputs): Bytes {
  const writer = new Writer(4096);
  writer.string(inputs.clientVersion).string(inputs.serverVersion);
  writer.string(inputs.clientInit).string(inputs.serverInit).string(inputs.hostKey);
  if (inputs.group !== undefined) writer.raw(inputs.group);
  writer.string(inputs.clientPublic).string(inputs.serverPublic).raw(inputs.secret);
  const hashed = writer.finish();
  const digest = hash.digest(hashed);
  hashed.fill(0);
  return digest;
}

/** The letters of RFC 4253 section 7.2 for each direction: IV, encryption key, MAC key. */
const letters = { c2s: ["A", "C", "E"], s2c: ["B", "D", "F"] } as const;

/** Derives the keys of one direction (RFC 4253 section 7.2). */
export function deriveKeys(
  direction: "c2s" | "s2c",
  source: { readonly hash: Hash; readonly secret: Bytes; readonly exchangeHash: Bytes; readonly sessionId: Bytes },
  algorithms: { readonly cipher: Cipher; readonly mac: Mac | undefined },
): DirectionKeys {
  const [ivLetter, keyLetter, macLetter] = letters[direction];
  const digest = (...rest: readonly Bytes[]): Bytes => {
    const hashed = concat(source.secret, source.exchangeHash, ...rest);
    const bytes = source.hash.digest(hashed);
    hashed.fill(0);
    return bytes;
  };
  const derive = (letter: string, size: number): Bytes => {
    let bytes = digest(utf8(letter), source.sessionId);
    while (bytes.length < size) bytes = concat(bytes, digest(bytes));
    return bytes.slice(0, size);
  };
  const { cipher, mac } = algorithms;
  return {
    iv: derive(ivLetter, cipher.ivSize),
    key: derive(keyLetter, cipher.keySize),
    mac: mac && { algorithm: mac, key: derive(macLetter, mac.keySize) },
  };
}
