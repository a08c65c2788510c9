/** Public keys: blobs (RFC 4253 section 6.6) and the lines of `.pub` files (sshd(8)). @module */
import { checkPointForm, type NistCurve, nistp256, nistp384, nistp521 } from "@postern/crypto";
import {
  type ArrayBufferBytes,
  type Bytes,
  expectType,
  fromBase64,
  quote,
  Reader,
  SshError,
  toBase64,
} from "@postern/wire";

/** The limit of OpenSSH (SSH_MAX_PUBKEY_BYTES). An RSA key of 16384 bits has 3 KB of text. */
const maxLine = 16_384;

/** A line of a `.pub` file. */
export interface PublicKeyLine {
  /** such as `ssh-ed25519` */
  readonly type: string;
  readonly blob: ArrayBufferBytes;
  /** empty if the line has none */
  readonly comment: string;
}

/**
 * Returns the type of a public key blob, such as `ssh-rsa`. Does not check the rest of the blob.
 * @throws SshError `key` if the blob does not start with a name
 */
export function keyType(blob: Bytes): string {
  expectType("a public key", blob, "Uint8Array");
  return parsing("expected a public key", () => readType(new Reader(blob, "public key")));
}

/**
 * Describes a public key for messages: `ssh-ed25519`, `ssh-rsa of 3072 bits`.
 * @throws SshError `key` if the blob is malformed: a length is wrong, or bytes follow the key
 */
export function describePublicKey(blob: Bytes): string {
  expectType("a public key", blob, "Uint8Array");
  return parsing("expected a public key", () => {
    const reader = new Reader(blob, "public key");
    const type = readType(reader);
    const words = describe(type, reader);
    reader.end();
    return words;
  });
}

/**
 * Formats the line of a `.pub` file, without a line end.
 *
 * @throws SshError `key` if the blob is malformed, `misuse` if the comment has more than one line
 * @example
 * formatPublicKey(signer.publicKey, "me@laptop"); // "ssh-ed25519 AAAA… me@laptop"
 */
export function formatPublicKey(blob: Bytes, comment = ""): string {
  describePublicKey(blob);
  expectType("the comment", comment, "string");
  if (/[\r\n]/.test(comment)) throw new SshError("misuse", "expected a comment of one line, got several lines");
  return `${keyType(blob)} ${toBase64(blob)} ${comment}`.trimEnd();
}

/**
 * Parses the line of a `.pub` file: type, base64, comment. Checks keys of known types completely, of others only the
 * name. A line has at most 16 KiB.
 *
 * @throws SshError `key` if the line is malformed, or the type before the blob differs from the type inside
 * @example
 * const { blob } = parsePublicKey("ssh-ed25519 AAAA… me@laptop");
 */
export function parsePublicKey(line: string): PublicKeyLine {
  expectType("the line of a public key", line, "string");
  if (line.length > maxLine) {
    throw new SshError("key", `expected a public key of at most ${maxLine} characters, got ${line.length}`);
  }
  const text = line.trim();
  if (/PRIVATE KEY-----/.test(text)) throw new SshError("key", "expected a public key, got a private key");
  const match = /^(\S+)[ \t]+(\S+)(?:[ \t]+([^ \t\r\n][^\r\n]*))?$/.exec(text);
  const [, type, base64, comment = ""] = match ?? [];
  if (type === undefined || base64 === undefined) {
    throw new SshError("key", "expected a public key of one line (type, base64, comment), got other text");
  }
  const blob = parsing("expected a public key in base64 after its type", () => fromBase64(base64));
  describePublicKey(blob);
  const blobType = keyType(blob);
  if (blobType !== type) throw new SshError("key", `expected a public key of type ${quote(type, 64)}, got ${blobType}`);
  return { type, blob, comment };
}

/** Returns the curve of an ECDSA key type (RFC 5656 section 6.2), or `undefined` for other types. */
export function curveOf(type: string): NistCurve | undefined {
  return [nistp256, nistp384, nistp521].find(({ name }) => type === `ecdsa-sha2-${name}`);
}

/** Returns whether a text is a name: 1 to 64 printable US-ASCII characters without a comma (RFC 4251 section 6). */
export function isName(text: string): boolean {
  return /^[!-+\--~]{1,64}$/.test(text);
}

/**
 * Calls `parse` and converts other errors than SshError `key` to one, with a message that starts with `expected`.
 * Keeps only messages of SshErrors, because a library's message could contain a secret.
 */
function parsing<T>(expected: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (error instanceof SshError && error.code === "key") throw error;
    const why = error instanceof SshError ? `: ${error.message}` : "";
    throw new SshError("key", `${expected}, got malformed data${why}`);
  }
}

function readType(reader: Reader): string {
  const type = reader.text();
  if (!isName(type)) throw new SshError("key", `expected a key type, got ${quote(type, 64)}`);
  return type;
}

function describe(type: string, reader: Reader): string {
  // A security key has the fields of its plain type, and then an application (OpenSSH PROTOCOL.u2f).
  const [, inner] = /^sk-(ssh-ed25519|ecdsa-sha2-nistp256)@openssh\.com$/.exec(type) ?? [];
  if (inner !== undefined) {
    describe(inner, reader);
    reader.text();
    return type;
  }
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
