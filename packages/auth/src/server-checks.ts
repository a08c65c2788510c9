/** Checks of the requests of `publickey`. @module */
import { type PublicKeyAlgorithm, verifyNow } from "@postern/crypto";
import {
  type Bytes,
  HostboundProof,
  HostboundQuery,
  PublickeyProof,
  PublickeyQuery,
  ServerLimits,
  SshError,
} from "@postern/wire";

interface PublickeyFields {
  readonly algorithm: string;
  readonly publicKey: Bytes;
  readonly hostKey?: Bytes;
  readonly signature: Bytes;
}

export function readPublickey(hostbound: boolean, proved: boolean, specificData: Bytes): PublickeyFields {
  const signature = new Uint8Array(0);
  if (hostbound) return { signature, ...(proved ? HostboundProof : HostboundQuery).decode(specificData) };
  return { signature, ...(proved ? PublickeyProof : PublickeyQuery).decode(specificData) };
}

export function verifies(verifier: PublicKeyAlgorithm, publicKey: Bytes, data: Bytes, signature: Bytes): boolean {
  try {
    return verifyNow(verifier, publicKey, data, signature);
  } catch (error) {
    // A malformed key is refused like any other, because the client may have another key.
    if (error instanceof SshError && error.code === "key") return false;
    throw error;
  }
}

/** Limits the size of the key that verifies: verifying with a large one takes seconds. */
export function hasAllowedSize({ readCertificate }: PublicKeyAlgorithm, publicKey: Bytes): boolean {
  if (readCertificate === undefined) return publicKey.length <= ServerLimits.userKeyBytes;
  try {
    const isShort = publicKey.length <= ServerLimits.certificateBytes;
    return isShort && readCertificate(publicKey).publicKey.length <= ServerLimits.userKeyBytes;
  } catch {
    return false;
  }
}

/** Returns the key that a certificate certifies, and any other key as it is. */
export function plainKey(algorithms: readonly PublicKeyAlgorithm[], algorithm: string, publicKey: Bytes): Bytes {
  const verifier = algorithms.find(({ name }) => name === algorithm);
  return verifier?.readCertificate?.(publicKey).publicKey ?? publicKey;
}
