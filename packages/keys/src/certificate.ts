/** OpenSSH certificates (OpenSSH PROTOCOL.certkeys, draft-miller-ssh-cert). @module */
import { type Certificate, plainName } from "@postern/crypto";
import { type Bytes, equal, expectType, fromUtf8, quote, Reader, SshError, utf8, Writer } from "@postern/wire";
import { describePublicKey, keyType } from "./public-key.ts";

/** The limits of a certificate. OpenSSH has the same limit of principals. */
const CertificateLimits = { bytes: 65_536, principals: 256 } as const;

/** The number of fields of each public key that can be certified, its type not counted. All fields are strings. */
const keyFields: Readonly<Record<string, number>> = {
  "ssh-ed25519": 1,
  "ssh-rsa": 2,
  "ecdsa-sha2-nistp256": 2,
  "ecdsa-sha2-nistp384": 2,
  "ecdsa-sha2-nistp521": 2,
  "sk-ssh-ed25519@openssh.com": 2,
  "sk-ecdsa-sha2-nistp256@openssh.com": 3,
};

/** Returns the number of fields of a key of a plain type that can be certified, or `undefined` for other types. */
function certifiedFields(type: string): number | undefined {
  return Object.hasOwn(keyFields, type) ? keyFields[type] : undefined;
}

/** Returns whether a public key blob is a certificate. @throws SshError `key` if it does not start with a name */
export function isCertificate(blob: Bytes): boolean {
  return plainName(keyType(blob)) !== undefined;
}

/**
 * Returns the key that a blob certifies, or the blob itself if it is no certificate.
 * @throws SshError `key` if it does not start with a name, or is a malformed certificate
 */
export function certifiedKey(blob: Bytes): Bytes {
  return isCertificate(blob) ? parseCertificate(blob).publicKey : blob;
}

/** Whether certificates of a type can be parsed. */
export function isKnownCertificate(type: string): boolean {
  return certifiedFields(plainName(type) ?? "") !== undefined;
}

/**
 * Parses the blob of a certificate. Neither the signature nor any condition is checked: see `checkCertificate`.
 *
 * Options and extensions keep their order. PROTOCOL.certkeys requires sorted names, but OpenSSH accepts any order, and
 * so does this function. A repeated name is refused.
 *
 * @throws SshError `key` if the blob is malformed, larger than 64 KiB, has more than 256 principals, is of an unknown
 * type, or is signed by a certificate
 */
export function parseCertificate(blob: Bytes): Certificate {
  expectType("a certificate", blob, "Uint8Array");
  if (blob.length > CertificateLimits.bytes) {
    throw new SshError("key", `expected a certificate of at most ${CertificateLimits.bytes} bytes, got ${blob.length}`);
  }
  try {
    return readCertificate(blob);
  } catch (error) {
    if (error instanceof SshError && error.code === "key") throw error;
    throw new SshError("key", `expected a certificate, got malformed data: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

function readCertificate(blob: Bytes): Certificate {
  const reader = new Reader(blob, "certificate");
  const type = reader.text();
  const plain = plainName(type);
  const fields = plain === undefined ? undefined : certifiedFields(plain);
  if (plain === undefined || fields === undefined) {
    throw new SshError("key", `expected a certificate, got a key of type ${quote(type, 64)}`);
  }
  reader.string(); // nonce
  const keyStart = blob.length - reader.remaining;
  for (let i = 0; i < fields; i++) reader.string();
  const key = blob.subarray(keyStart, blob.length - reader.remaining);
  const publicKey = new Writer(128 + key.length).text(plain).raw(key).finish();
  describePublicKey(publicKey);
  const serial = reader.uint64();
  const role = reader.uint32();
  if (role !== 1 && role !== 2) {
    throw new SshError("key", `expected a certificate of a user (1) or a host (2), got type ${role}`);
  }
  const keyId = readText(reader, "key id");
  const principals = readPrincipals(reader.string());
  const [validAfter, validBefore] = [reader.uint64(), reader.uint64()];
  const criticalOptions = readOptions(reader.string(), "critical option");
  const extensions = readOptions(reader.string(), "extension");
  reader.string(); // reserved
  const signatureKey = reader.string();
  const signed = blob.subarray(0, blob.length - reader.remaining);
  const signature = reader.string();
  reader.end();
  const authority = keyType(signatureKey);
  if (certifiedFields(authority) === undefined) {
    throw new SshError("key", `expected a certificate signed by a plain key, got a CA key of type ${authority}`);
  }
  describePublicKey(signatureKey);
  return {
    blob,
    keyType: type,
    publicKey,
    serial,
    type: role === 1 ? "user" : "host",
    keyId,
    principals,
    validAfter,
    validBefore,
    criticalOptions,
    extensions,
    signatureKey,
    signature,
    signed,
  };
}

function readPrincipals(list: Bytes): readonly string[] {
  const reader = new Reader(list, "principals");
  const principals: string[] = [];
  while (reader.remaining > 0) {
    if (principals.length === CertificateLimits.principals) {
      throw new SshError(
        "key",
        `expected at most ${CertificateLimits.principals} principals in a certificate, got more`,
      );
    }
    principals.push(readText(reader, "principal"));
  }
  return principals;
}

function readOptions(list: Bytes, what: string): ReadonlyMap<string, Bytes> {
  const reader = new Reader(list, `${what}s`);
  const options = new Map<string, Bytes>();
  while (reader.remaining > 0) {
    const name = readText(reader, what);
    if (options.has(name)) throw new SshError("key", `expected each ${what} once, got ${quote(name, 64)} twice`);
    options.set(name, reader.string());
  }
  return options;
}

/** Reads text without NUL. Malformed UTF-8 is refused, because two names could decode to the same text. */
function readText(reader: Reader, what: string): string {
  const bytes = reader.string();
  const text = fromUtf8(bytes);
  if (bytes.includes(0) || !equal(utf8(text), bytes)) {
    throw new SshError("key", `expected the ${what} of a certificate to be UTF-8 without NUL, got ${quote(text, 64)}`);
  }
  return text;
}

/**
 * Returns the value of an option that contains one string, such as `source-address`, or `undefined` without it.
 * @throws SshError `key` if its data is malformed
 */
export function certificateOption(certificate: Certificate, name: string): string | undefined {
  const data = certificate.criticalOptions.get(name);
  if (data === undefined) return undefined;
  try {
    const reader = new Reader(data, name);
    const value = readText(reader, name);
    reader.end();
    return value;
  } catch (cause) {
    throw new SshError("key", `expected one string as the critical option ${quote(name, 64)}, got other data`, {
      cause,
    });
  }
}
