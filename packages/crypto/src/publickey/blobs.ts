/** The two blobs of public key algorithms: keys and signatures, RFC 4253 section 6.6. @module */
import { type Bytes, quote, Reader, SshError, toSshError } from "@postern/wire";

/**
 * Reads a public key blob: its type, then what `read` takes, then its end.
 * @throws SshError `key` when it is malformed or of another type
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
    const why = toSshError(error, "key", "got something else").message;
    throw new SshError("key", `expected a well-formed key: ${why}`, { cause: error });
  }
}

/** The bytes inside a signature blob; undefined when it is malformed or made with another algorithm. */
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
