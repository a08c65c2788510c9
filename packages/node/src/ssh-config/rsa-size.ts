/** RequiredRSASize. @module */
import { type Bytes, Reader } from "@postern/wire";

/** Returns the bits of an RSA key or of the RSA key in a certificate, or `undefined` for other types. */
export function rsaBits(blob: Bytes): number | undefined {
  try {
    const reader = new Reader(blob, "public key");
    const type = reader.text();
    if (!type.startsWith("ssh-rsa")) return undefined;
    // A certificate has a nonce before the fields of its key (OpenSSH PROTOCOL.certkeys).
    if (type !== "ssh-rsa") reader.string();
    reader.mpint();
    const modulus = reader.mpint();
    return modulus.length === 0 ? 0 : 8 * modulus.length - Math.clz32(modulus[0] ?? 0) + 24;
  } catch {
    return undefined;
  }
}
