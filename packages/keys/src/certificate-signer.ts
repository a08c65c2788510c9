/** Signing with a certified key, and verifying its signatures. @module */
import { type Certificate, certificateName, type PublicKeyAlgorithm, plainName, type Signer } from "@postern/crypto";
import { type Bytes, equal, expectType, SshError } from "@postern/wire";
import { parseCertificate } from "./certificate.ts";
import { parsePublicKey } from "./public-key.ts";
import { checkAlgorithm } from "./signer.ts";

/** Options of {@link createCertificateSigner}. */
export interface CertificateSignerOptions {
  /** Refuses a certificate of the other type. Default: accepts both. */
  readonly type?: "user" | "host";
}

/** A signer with a certificate. */
export interface CertificateSigner extends Signer {
  readonly certificate: Certificate;
  /** the signer without the certificate */
  readonly plain: Signer;
}

/**
 * Adds a certificate to a signer: a user certificate to log in with, or a host certificate for a server. Its algorithms
 * become `…-cert-v01@openssh.com`. Signatures are those of the plain key (OpenSSH PROTOCOL.certkeys).
 *
 * @param certificate the line of a file such as `id_ed25519-cert.pub`, or the blob
 * @throws SshError `key` if the certificate is malformed, of another key, or of the other type
 * @example
 * const login = createCertificateSigner(signer, await readFile("id_ed25519-cert.pub", "utf8"), { type: "user" });
 */
export function createCertificateSigner(
  signer: Signer,
  certificate: string | Bytes,
  options: CertificateSignerOptions = {},
): CertificateSigner {
  expectType("the options of createCertificateSigner", options, "object");
  const blob = typeof certificate === "string" ? parsePublicKey(certificate).blob : certificate;
  const parsed = parseCertificate(blob);
  if (!equal(parsed.publicKey, signer.publicKey)) {
    throw new SshError("key", "expected a certificate of the signer's public key, got one of another key");
  }
  if (options.type !== undefined && parsed.type !== options.type) {
    throw new SshError("key", `expected a ${options.type} certificate, got a ${parsed.type} certificate`);
  }
  const algorithms = signer.algorithms.map(certificateName);
  return {
    plain: signer,
    certificate: parsed,
    publicKey: parsed.blob,
    algorithms,
    sign: (data, algorithm) => signer.sign(data, plainName(checkAlgorithm(data, algorithm, algorithms)) ?? algorithm),
  };
}

/**
 * Creates the certificate form of an algorithm, for host keys and user keys. It verifies with the certified key, and
 * does not check the certificate: see `checkCertificate`.
 */
export function createCertificateAlgorithm(plain: PublicKeyAlgorithm): PublicKeyAlgorithm {
  const keyType = certificateName(plain.keyType);
  const readCertificate = (blob: Bytes): Certificate => {
    const certificate = parseCertificate(blob);
    if (certificate.keyType === keyType) return certificate;
    throw new SshError("key", `expected a certificate of type ${keyType}, got ${certificate.keyType}`);
  };
  return {
    name: certificateName(plain.name),
    keyType,
    readCertificate,
    ...(plain.readKeyUse === undefined ? {} : { readKeyUse: plain.readKeyUse }),
    base: { algorithm: plain, rebuild: createCertificateAlgorithm },
    verify: (blob, data, signature) => plain.verify(readCertificate(blob).publicKey, data, signature),
  };
}
