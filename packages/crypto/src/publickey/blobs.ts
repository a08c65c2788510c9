/** Reads the blobs of public keys and signatures (RFC 4253 section 6.6). @module */
import { type Bytes, quote, Reader, SshError, toSshError } from "@postern/wire";

/**
 * Reads a public key blob. `read` reads the fields after the type.
 * @throws SshError `key` if the blob is malformed or of another type
 */
export function readKey<T>(blob: Bytes, keyType: string, read: (reader: Reader) => T): T {
  const reader = new Reader(blob, `${keyType} key`);
  try {
    const type = reader.text();
    if (type !== keyType) throw new SshError("key", `expected a key of type ${keyType}, got ${quote(type, 64)}`);
    const key = read(reader);
    reader.end();
    return key;
  } catch (error) {
    if (error instanceof SshError && error.code === "key") throw error;
    const why = toSshError(error, "key", "got malformed data").message;
    throw new SshError("key", `expected a well-formed key: ${why}`, { cause: error });
  }
}

/** Returns the signature in a blob, or `undefined` if the blob is malformed or names another algorithm. */
export function readSignature(blob: Bytes, algorithm: string): Bytes | undefined {
  const reader = new Reader(blob, "signature");
  try {
    if (reader.text() !== algorithm) return undefined;
    const signature = reader.string();
    reader.end();
    return signature;
  } catch {
    return undefined;
  }
}
