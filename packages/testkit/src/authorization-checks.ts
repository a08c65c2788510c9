/** Checks of the verdicts of sshd about users' keys, and of fingerprints. Runs in every runtime. @module */
import type { PublicKeyAlgorithm } from "@postern/crypto";
import { authorizedKeys } from "@postern/host";
import {
  checkCertificateSignature,
  describePublicKey,
  isCertificate,
  parseCertificate,
  parseFingerprint,
  parsePublicKey,
} from "@postern/keys";
import { sha256Fingerprint } from "@postern/noble";
import { fromHex, SshError, equal as sameBytes } from "@postern/wire";
import { equal, isAccepted, testsOf, type Vector, type VectorFile, type VectorTest } from "./vector-checks.ts";

interface AuthorizedKeysVector extends Vector {
  readonly text: string;
  readonly user: string;
  /** The client's address. */
  readonly host: string;
  /** Type and base64 of a key or a certificate. */
  readonly key: string;
  /** Milliseconds since 1970. */
  readonly now: number;
}

interface FingerprintVector extends Vector {
  readonly publicKey: string;
  readonly fingerprint: string;
  readonly bits: number;
}

/** Asks whether a file authorizes the key. */
export function authorizedKeysTests(file: VectorFile, algorithms: readonly PublicKeyAlgorithm[]): VectorTest[] {
  return testsOf<AuthorizedKeysVector>(file, "verdicts", async (vector) => {
    const { text, user, host, key, now } = vector;
    const { blob } = parsePublicKey(key);
    const certificate = isCertificate(blob) ? parseCertificate(blob) : undefined;
    if (certificate !== undefined) await checkCertificateSignature(certificate, algorithms);
    const permissions = authorizedKeys(text).permissions(blob, { user, host, time: now, certificate });
    equal(permissions !== undefined, isAccepted(vector));
  });
}

/** Prints the fingerprint of each key, and reads texts of fingerprints. */
export function fingerprintTests(file: VectorFile): VectorTest[] {
  return testsOf<FingerprintVector>(file, "sha256", (vector) => {
    const { publicKey, fingerprint, bits, result } = vector;
    const blob = fromHex(publicKey);
    const printed = sha256Fingerprint(blob);
    equal(isFingerprint(fingerprint, printed), isAccepted(vector));
    if (result !== "valid") return;
    equal(printed, fingerprint);
    const described = describePublicKey(blob);
    if (described.startsWith("ssh-rsa")) equal(described, `ssh-rsa of ${bits} bits`);
  });
}

/** Whether a text is read as the fingerprint. */
function isFingerprint(text: string, expected: string): boolean {
  try {
    return sameBytes(parseFingerprint(text), parseFingerprint(expected));
  } catch (error) {
    if (error instanceof SshError) return false;
    throw error;
  }
}
