/** PuTTY's key files, versions 2 and 3 (PuTTY manual, appendix C). The MAC is verified before use. @module */
import {
  type Bytes,
  concat,
  equal,
  fromBase64,
  fromHex,
  fromUtf8,
  Reader,
  toBase64,
  utf8,
  Writer,
} from "@postern/wire";
import { readKeyPair } from "../key-pair.ts";
import type { PrivateKey, PublicHalf } from "../key-types.ts";
import { curveOf } from "../public-key.ts";
import type { KeyFileCrypto } from "./crypto.ts";
import { type AskPassphrase, damaged, nameOr, unsupported, wrongPassphrase } from "./failures.ts";
import { checkArgon2Cost } from "./limits.ts";

const convert = "puttygen FILE -O private-openssh-new -o NEWFILE";
const format = "PuTTY format";

interface PpkFile {
  readonly version: 2 | 3;
  readonly algorithm: string;
  readonly encryption: string;
  readonly comment: Bytes;
  readonly publicKey: Bytes;
  readonly argon2: Argon2Fields | undefined;
  readonly secret: Bytes;
  readonly mac: Bytes;
}

interface Argon2Fields {
  readonly variant: "argon2id" | "argon2i" | "argon2d";
  readonly cost: { readonly m: number; readonly t: number; readonly p: number };
  readonly salt: Bytes;
}

/** @param file the bytes of the file, because the MAC covers the comment, which may be in any charset */
export async function readPpk(
  file: Bytes,
  ask: AskPassphrase,
  publicHalf: PublicHalf,
  crypto: KeyFileCrypto,
): Promise<PrivateKey> {
  const ppk = parsePpk(file);
  const isEncrypted = ppk.encryption !== "none";
  const keys = await deriveKeys(
    ppk,
    isEncrypted ? await ask(`${ppk.encryption}, PPK version ${ppk.version}`) : undefined,
    crypto,
  );
  const secret = isEncrypted ? crypto.aesCbc(keys.key, keys.iv, ppk.secret) : ppk.secret;
  const covered = new Writer(4096).text(ppk.algorithm).text(ppk.encryption).string(ppk.comment);
  const mac = crypto.hmac(
    ppk.version === 2 ? "sha1" : "sha256",
    keys.macKey,
    covered.string(ppk.publicKey).string(secret).finish(),
  );
  if (!equal(mac, ppk.mac)) throw isEncrypted ? wrongPassphrase() : damaged(format);
  return {
    ...readKeyPair(new Reader(sshSecret(ppk, secret), "private key"), ppk.publicKey, publicHalf),
    comment: fromUtf8(ppk.comment),
  };
}

interface Keys {
  readonly key: Bytes;
  readonly iv: Bytes;
  readonly macKey: Bytes;
}

async function deriveKeys(ppk: PpkFile, passphrase: Bytes | undefined, crypto: KeyFileCrypto): Promise<Keys> {
  const none = new Uint8Array(0);
  if (ppk.version === 2) {
    const sha1 = (...parts: Bytes[]) => crypto.digest("sha1", concat(...parts));
    const text = passphrase ?? none;
    const key = concat(sha1(Uint8Array.of(0, 0, 0, 0), text), sha1(Uint8Array.of(0, 0, 0, 1), text)).subarray(0, 32);
    return { key, iv: new Uint8Array(16), macKey: sha1(utf8("putty-private-key-file-mac-key"), text) };
  }
  if (passphrase === undefined || ppk.argon2 === undefined) return { key: none, iv: none, macKey: none };
  const { variant, cost, salt } = ppk.argon2;
  const derived = await crypto.argon2(variant, passphrase, salt, cost, 80);
  return { key: derived.subarray(0, 32), iv: derived.subarray(32, 48), macKey: derived.subarray(48) };
}

/** Converts the private part to the fields of PROTOCOL.key section 3. The padding after it is covered by the MAC. */
function sshSecret({ algorithm, publicKey }: PpkFile, secret: Bytes): Bytes {
  const reader = new Reader(secret, "private key");
  const publicReader = new Reader(publicKey, "public key");
  publicReader.string();
  const writer = new Writer(4096).text(algorithm);
  if (algorithm === "ssh-rsa") {
    const [exponent, modulus] = [publicReader.mpint(), publicReader.mpint()];
    const [privateExponent, prime1, prime2, coefficient] = [
      reader.mpint(),
      reader.mpint(),
      reader.mpint(),
      reader.mpint(),
    ];
    writer.mpint(modulus).mpint(exponent).mpint(privateExponent).mpint(coefficient).mpint(prime1).mpint(prime2);
  } else if (algorithm === "ssh-ed25519") {
    const point = publicReader.string();
    // Little-endian, and PuTTY omits zeros at its end.
    const seed = new Uint8Array(32);
    seed.set(reader.string());
    writer.string(point).string(concat(seed, point));
  } else {
    writer.string(publicReader.string()).string(publicReader.string()).mpint(reader.mpint());
  }
  if (reader.remaining >= 16) throw damaged(format);
  return writer.finish();
}

function parsePpk(file: Bytes): PpkFile {
  // One character per byte.
  const lines = new Lines(Array.from(file, (byte) => String.fromCharCode(byte)).join(""));
  const [version, algorithm] = lines.first();
  if (version !== 2 && version !== 3) throw unsupported(`a PuTTY key (PPK version ${version})`, convert);
  const encryption = lines.header("Encryption");
  const comment = bytesOf(lines.header("Comment"));
  const publicKey = lines.block("Public-Lines");
  if (curveOf(algorithm) === undefined && algorithm !== "ssh-ed25519" && algorithm !== "ssh-rsa") {
    throw unsupported(`a PuTTY key of type ${nameOr(algorithm, "unknown")}; Postern reads Ed25519, ECDSA and RSA`);
  }
  if (encryption !== "none" && encryption !== "aes256-cbc") {
    throw unsupported(`a PuTTY key encrypted by ${nameOr(encryption, "an unknown cipher")}`, convert);
  }
  const argon2 = version === 3 && encryption !== "none" ? readArgon2(lines) : undefined;
  const secret = lines.block("Private-Lines");
  const mac = lines.hex("Private-MAC");
  lines.end();
  if (encryption !== "none" && (secret.length === 0 || secret.length % 16 !== 0)) throw damaged(format);
  return { version, algorithm, encryption, comment, publicKey, argon2, secret, mac };
}

/** A map, because an object has more names than its own, such as `constructor`. */
const variants: ReadonlyMap<string, Argon2Fields["variant"]> = /* @__PURE__ */ new Map([
  ["Argon2id", "argon2id"],
  ["Argon2i", "argon2i"],
  ["Argon2d", "argon2d"],
]);

function readArgon2(lines: Lines): Argon2Fields {
  const variant = variants.get(lines.header("Key-Derivation"));
  if (variant === undefined) {
    throw unsupported("a PuTTY key with an unknown key derivation", convert);
  }
  const cost = {
    m: lines.number("Argon2-Memory"),
    t: lines.number("Argon2-Passes"),
    p: lines.number("Argon2-Parallelism"),
  };
  checkArgon2Cost(cost);
  const salt = lines.hex("Argon2-Salt");
  // RFC 9106 section 3.1; puttygen uses 16 bytes.
  if (salt.length < 8) throw damaged(format);
  return { variant, cost, salt };
}

/** Reads the lines in their order. */
class Lines {
  readonly #lines: readonly string[];
  #at = 0;

  constructor(text: string) {
    this.#lines = text
      .replace(/^(?:\u00ef\u00bb\u00bf)?\s*/, "")
      .replace(/[\r\n]{1,8}$/, "")
      .split(/\r\n|\r|\n/);
  }

  first(): readonly [number, string] {
    const [, version, algorithm] = /^PuTTY-User-Key-File-(\d): (.{1,64})$/.exec(this.#next()) ?? [];
    if (version === undefined || algorithm === undefined) throw damaged(format);
    return [Number(version), algorithm];
  }

  header(name: string): string {
    const line = this.#next();
    if (!line.startsWith(`${name}: `)) throw damaged(format);
    return line.slice(name.length + 2);
  }

  number(name: string): number {
    const digits = this.header(name);
    if (!/^(?:0|[1-9]\d{0,9})$/.test(digits)) throw damaged(format);
    return Number(digits);
  }

  hex(name: string): Bytes {
    const digits = this.header(name);
    if (/[A-F]/.test(digits)) throw damaged(format);
    return fromHex(digits);
  }

  /** Reads the number of lines, and then these lines of base64. No other text is accepted for the same bytes. */
  block(name: string): Bytes {
    const count = this.number(name);
    if (count > this.#lines.length - this.#at) throw damaged(format);
    this.#at += count;
    const base64 = this.#lines.slice(this.#at - count, this.#at).join("");
    const bytes = fromBase64(base64);
    if (toBase64(bytes) !== base64) throw damaged(format);
    return bytes;
  }

  end(): void {
    if (this.#at !== this.#lines.length) throw damaged(format);
  }

  #next(): string {
    return this.#lines[this.#at++] ?? "";
  }
}

function bytesOf(binary: string): Bytes {
  return Uint8Array.from(binary, (char) => char.charCodeAt(0));
}
