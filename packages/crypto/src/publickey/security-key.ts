/** `sk-ssh-ed25519@openssh.com` and `sk-ecdsa-sha2-nistp256@openssh.com`: FIDO keys (OpenSSH PROTOCOL.u2f). @module */
import { type Bytes, concat, Reader, SshError, Writer } from "@postern/wire";
import type { Hash } from "../kex.ts";
import type { PublicKeyAlgorithm, SecurityKeyUse } from "../publickey.ts";
import { readKey } from "./blobs.ts";

/** Bits of the flags (CTAP2 section 6.1, authenticator data). */
const userPresent = 1;
const userVerified = 4;

/**
 * Creates the algorithm of a security key from the algorithm that it signs with: `ssh-ed25519` or
 * `ecdsa-sha2-nistp256`. `verify` does not require that the user was present: see `readKeyUse`. A server requires it.
 */
export function createSecurityKey(plain: PublicKeyAlgorithm, sha256: Hash): PublicKeyAlgorithm {
  const name = `sk-${plain.name}@openssh.com`;
  return {
    name,
    keyType: name,
    base: { algorithm: plain, rebuild: (algorithm) => createSecurityKey(algorithm, sha256) },
    readKeyUse(signature) {
      const parts = readParts(signature, name);
      if (parts === undefined) throw new SshError("key", `expected a well-formed ${name} signature, got another`);
      return parts.use;
    },
    verify(publicKey, data, signature) {
      const { key, application } = readKey(publicKey, name, (reader) => {
        const fields = new Writer(128).text(plain.keyType).string(reader.string());
        // The plain ECDSA key has a curve before its point.
        if (plain.keyType.startsWith("ecdsa-")) fields.string(reader.string());
        return { key: fields.finish(), application: reader.string() };
      });
      const parts = readParts(signature, name);
      const inner = new Writer(128).text(plain.name).string(parts?.signature ?? new Uint8Array());
      const signed = concat(sha256.digest(application), parts?.useBytes ?? new Uint8Array(), sha256.digest(data));
      const verdict = plain.verify(key, signed, inner.finish());
      return parts !== undefined && verdict;
    },
  };
}

/** Returns `undefined` if the signature is malformed or names another algorithm. */
function readParts(
  blob: Bytes,
  name: string,
): { readonly signature: Bytes; readonly useBytes: Bytes; readonly use: SecurityKeyUse } | undefined {
  const reader = new Reader(blob, "signature");
  try {
    if (reader.text() !== name) return undefined;
    const signature = reader.string();
    const useBytes = reader.raw(5);
    reader.end();
    const use = new Reader(useBytes, "signature");
    const flags = use.byte();
    const present = (flags & userPresent) !== 0;
    const verified = (flags & userVerified) !== 0;
    return { signature, useBytes, use: { userPresent: present, userVerified: verified, counter: use.uint32() } };
  } catch {
    return undefined;
  }
}
