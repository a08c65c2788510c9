/** Public keys: blobs (RFC 4253 section 6.6) and the lines of `.pub` files (sshd(8), AUTHORIZED_KEYS FILE FORMAT). @module */
import { checkPointForm, type NistCurve, nistp256, nistp384, nistp521 } from "@postern/crypto";
import { type Bytes, expectType, fromBase64, quote, Reader, SshError, toBase64 } from "@postern/wire";
import { reading } from "./reading.ts";

/** OpenSSH reads as much (SSH_MAX_PUBKEY_BYTES); a key of 16384 bits has 3 KB of text. */
const maxLine = 16_384;

/** A public key as a line of text holds it. */
export interface PublicKeyLine {
  /** such as `ssh-ed25519` */
  readonly type: string;
  readonly blob: Bytes;
  /** "" when there is none */
  readonly comment: string;
}

/**
 * The type a public key blob names, such as `ssh-rsa`; what follows it is not looked at.
 * @throws SshError `key` when there is no name
 */
export function keyType(blob: Bytes): string {
  expectType("a public key", blob, "Uint8Array");
  return reading("expected a public key", () => readType(new Reader(blob, "public key")));
}

/**
 * A few words for messages: `ssh-ed25519`, `ssh-rsa of 3072 bits`.
 * @throws SshError `key` when the blob is malformed: a length is wrong, or bytes are left over
 */
export function describePublicKey(blob: Bytes): string {
  expectType("a public key", blob, "Uint8Array");
  return reading("expected a public key", () => {
    const reader = new Reader(blob, "public key");
    const type = readType(reader);
    const words = describe(type, reader);
    reader.end();
    return words;
  });
}

/**
 * The line of a `.pub` file, without an end of line.
 *
 * @throws SshError `key` when the blob is malformed, `misuse` when the comment has more than one line
 * @example
 * formatPublicKey(signer.publicKey, "me@laptop"); // "ssh-ed25519 AAAA… me@laptop"
 */
export function formatPublicKey(blob: Bytes, comment = ""): string {
  describePublicKey(blob);
  expectType("the comment", comment, "string");
  if (/[\r\n]/.test(comment)) throw new SshError("misuse", "expected a comment of one line, got more");
  return `${keyType(blob)} ${toBase64(blob)} ${comment}`.trimEnd();
}

/**
 * Reads the line of a `.pub` file: type, base64, comment. Types we know are checked to their last byte, others by their name.
 * A line has at most 16 KiB.
 *
 * @throws SshError `key` when it is malformed, or the type before the blob is not the one inside
 * @example
 * const { blob } = parsePublicKey("ssh-ed25519 AAAA… me@laptop");
 */
export function parsePublicKey(line: string): PublicKeyLine {
  expectType("the line of a public key", line, "string");
  if (line.length > maxLine) {
    throw new SshError("key", `expected a public key of at most ${maxLine} characters, got ${line.length}`);
  }
  const text = line.trim();
  if (/PRIVATE KEY-----/.test(text)) throw new SshError("key", "expected a public key, got a private one");
  const match = /^(\S+)[ \t]+(\S+)(?:[ \t]+([^ \t\r\n][^\r\n]*))?$/.exec(text);
  const [, type, base64, comment = ""] = match ?? [];
  if (type === undefined || base64 === undefined) {
    throw new SshError("key", "expected a public key of one line (type, base64, comment), got something else");
  }
  const blob = reading("expected a public key in base64 after its type", () => fromBase64(base64));
  describePublicKey(blob);
  const inside = keyType(blob);
  if (inside !== type) throw new SshError("key", `expected a public key of type ${quote(type, 64)}, got ${inside}`);
  return { type, blob, comment };
}

/** The curve of an ECDSA key type (RFC 5656 section 6.2); undefined for other types. */
export function curveOf(type: string): NistCurve | undefined {
  return [nistp256, nistp384, nistp521].find(({ name }) => type === `ecdsa-sha2-${name}`);
}

/** Whether a text is a name: 1 to 64 printable US-ASCII characters, no comma (RFC 4251 section 6). */
export function isName(text: string): boolean {
  return /^[!-+\--~]{1,64}$/.test(text);
}

function readType(reader: Reader): string {
  const type = reader.text();
  if (!isName(type)) throw new SshError("key", `expected the type of a key, got ${quote(type, 64)}`);
  return type;
}

function describe(type: string, reader: Reader): string {
  const curve = curveOf(type);
  if (curve) {
    const name = reader.text();
    if (name !== curve.name) throw new SshError("key", `expected the curve ${curve.name}, got ${quote(name, 64)}`);
    checkPointForm(curve, reader.string(), "key");
    return type;
  }
  if (type === "ssh-ed25519") {
    // RFC 8709 section 4
    const size = reader.string().length;
    if (size !== 32) throw new SshError("key", `expected an Ed25519 public key of 32 bytes, got ${size}`);
    return type;
  }
  if (type === "ssh-rsa") {
    reader.mpint();
    const modulus = reader.mpint();
    const [first] = modulus;
    if (first === undefined) throw new SshError("key", "expected an RSA modulus, got zero");
    return `${type} of ${8 * modulus.length - Math.clz32(first) + 24} bits`;
  }
  reader.rest();
  return type;
}
