/** Finds out what an identity file is, without its passphrase. @module */
import { keyType, plainBlob } from "@postern/keys";
import { type Bytes, fromBase64, fromUtf8, Reader, toBase64, utf8 } from "@postern/wire";
import { readBounded } from "../read-file.ts";

/** A file that IdentityFile names, or the public half beside it. */
export interface Identity {
  readonly path: string;
  readonly isPrivate: boolean;
  readonly isEncrypted: boolean;
  /** the line of the public key, if it can be read without the passphrase */
  readonly publicKey: string | undefined;
}

/** More than any key file. */
const largestFile = 256 * 1024;
const magic = "openssh-key-v1\0";

/** Reads what is known about an identity. Returns `undefined` if neither the file nor its `.pub` exists. */
export async function readIdentity(path: string): Promise<Identity | undefined> {
  const [own, beside] = await Promise.all([readText(path), readText(`${path}.pub`)]);
  if (own === undefined && beside === undefined) return undefined;
  const header = own === undefined ? undefined : opensshHeader(own);
  const ownLine = own === undefined ? undefined : publicLine(own);
  return {
    path,
    isPrivate: own !== undefined && ownLine === undefined,
    isEncrypted: header?.isEncrypted ?? /ENCRYPTED|^Encryption: (?!none)/m.test(own ?? ""),
    publicKey: ownLine ?? (beside === undefined ? undefined : publicLine(beside)) ?? header?.publicKey,
  };
}

/** Returns the text of a file, or `undefined` if it does not exist, cannot be read, or is too large. */
export async function readText(path: string): Promise<string | undefined> {
  try {
    return fromUtf8(await readBounded(path, { maxBytes: largestFile, code: "credentials" }));
  } catch {
    return undefined;
  }
}

/** The first line that looks like a public key or a certificate, without its comment. */
export function publicLine(text: string): string | undefined {
  const [, type, blob] =
    /^\s*((?:ssh|ecdsa|sk|rsa)-[\w@.-]{1,64})[ \t]+([A-Za-z0-9+/]+={0,2})(?:\s|$)/.exec(text) ?? [];
  return type === undefined ? undefined : `${type} ${blob}`;
}

/**
 * Returns whether a certificate is of a key: after its type and nonce, it repeats the fields of the public key (OpenSSH
 * PROTOCOL.certkeys).
 */
export function certifies(certificate: string, publicKey: string): boolean {
  try {
    const cert = new Reader(blobOf(certificate), "certificate");
    const certType = cert.text();
    cert.string();
    const fields = cert.rest();
    const key = new Reader(blobOf(publicKey), "public key");
    const keyType = key.text();
    const keyFields = key.rest();
    const plain = `${keyType.replace("@openssh.com", "")}-cert-v01@openssh.com`;
    return certType === plain && keyFields.every((byte, index) => fields[index] === byte);
  } catch {
    return false;
  }
}

/** Returns whether a line is one of a well-formed user certificate. */
export function isCertificate(line: string): boolean {
  try {
    return line.includes("-cert-v01@openssh.com ") && plainBlob(blobOf(line)).length > 0;
  } catch {
    return false;
  }
}

/** Returns the line of the key that a well-formed certificate is of. */
export function certifiedLine(certificate: string): string {
  const blob = plainBlob(blobOf(certificate));
  return `${keyType(blob)} ${toBase64(blob)}`;
}

function blobOf(line: string): Bytes {
  return fromBase64(line.split(" ")[1] ?? "");
}

/** The public half, which OpenSSH files hold in clear (PROTOCOL.key). */
function opensshHeader(text: string): { readonly isEncrypted: boolean; readonly publicKey: string } | undefined {
  const [, body] = /-----BEGIN OPENSSH PRIVATE KEY-----([A-Za-z0-9+/=\s]*)-----END/.exec(text) ?? [];
  if (body === undefined) return undefined;
  try {
    const bytes = fromBase64(body.replace(/\s/g, ""));
    const reader = new Reader(bytes.subarray(utf8(magic).length), "key file");
    const cipher = reader.text();
    reader.string();
    reader.string();
    reader.uint32();
    const blob = reader.string();
    const type = new Reader(blob, "public key").text();
    return { isEncrypted: cipher !== "none", publicKey: `${type} ${toBase64(blob)}` };
  } catch {
    return undefined;
  }
}
