/** How a client logged in: its method, its keys, and the algorithms of the connection. @module */
import type { Certificate } from "@postern/crypto";
import type { AlgorithmNames } from "@postern/ssh";
import { type Bytes, sanitizeText } from "@postern/wire";

/** The certificate that a client logged in with. */
export interface LoginCertificate {
  /** The ID that the CA gave it (`ssh-keygen -I`). Unprintable characters are escaped. */
  readonly keyId: string;
  /** The serial number; 0 if the CA does not number its certificates. */
  readonly serial: bigint;
  /** The fingerprint of the CA's key. */
  readonly authority: string;
}

/** How a client logged in. */
export interface HostLogin {
  /** Unprintable characters are escaped. */
  readonly user: string;
  /** The last method, such as `publickey`. */
  readonly method: string;
  /** The fingerprint of the key that was accepted, as `SHA256:…`: the last one if there were several. */
  readonly fingerprint: string | undefined;
  readonly certificate: LoginCertificate | undefined;
  /** The negotiated algorithms. */
  readonly algorithms: AlgorithmNames;
}

/** A key whose possession a client has proved. */
export interface ProvedKey {
  readonly publicKey: Bytes;
  readonly certificate: Certificate | undefined;
}

/** Returns the plain key of a login: the certified key if it was a certificate. */
export function plainKey({ publicKey, certificate }: ProvedKey): Bytes {
  return certificate?.publicKey ?? publicKey;
}

/** Describes the key of a login. */
export function describeKey(
  key: ProvedKey | undefined,
  fingerprint: (blob: Bytes) => string,
): Pick<HostLogin, "fingerprint" | "certificate"> {
  if (key === undefined) return { fingerprint: undefined, certificate: undefined };
  const { certificate } = key;
  return {
    fingerprint: fingerprint(plainKey(key)),
    certificate: certificate && {
      keyId: sanitizeText(certificate.keyId),
      serial: certificate.serial,
      authority: fingerprint(certificate.signatureKey),
    },
  };
}
