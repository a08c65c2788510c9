/** User certificates: the conditions and permissions in them (OpenSSH PROTOCOL.certkeys). @module */
import type { Certificate, PublicKeyAlgorithm } from "@postern/crypto";
import { certificateOption, checkCertificateConditions, checkCertificateSignature } from "@postern/keys";
import { ServerLimits, SshError } from "@postern/wire";
import { AddressList } from "./ip.ts";
import type { KeyOptions } from "./key-options.ts";

/** The critical options that a TunnelHost enforces. It never runs a command, so `force-command` has no effect. */
const criticalOptions = ["force-command", "source-address", "verify-required"];

/** The parts of a key's use that a certificate limits. */
interface CertificateUse {
  readonly host?: string | undefined;
  readonly user?: string;
}

/** Verifies the CA's signature, unless its key is so large that this takes seconds. @throws SshError `key` */
export async function verifyUserCertificate(
  certificate: Certificate,
  algorithms: readonly PublicKeyAlgorithm[],
): Promise<void> {
  const { length } = certificate.signatureKey;
  if (length > ServerLimits.userKeyBytes) {
    throw new SshError("key", `expected a CA key of at most ${ServerLimits.userKeyBytes} bytes, got ${length}`);
  }
  await checkCertificateSignature(certificate, algorithms);
}

/**
 * Checks a certificate whose CA has the given line, and returns what both the line and the certificate grant.
 * @throws SshError `key` with the condition that does not hold
 */
export function restrictByCertificate(
  line: KeyOptions,
  certificate: Certificate,
  { host, user = "" }: CertificateUse,
  time: number,
): KeyOptions {
  const principal = line.principals ?? user;
  const authorities = [certificate.signatureKey];
  checkCertificateConditions(certificate, { type: "user", principal, authorities, now: time, criticalOptions });
  // Malformed data is refused, though nothing is run.
  certificateOption(certificate, "force-command");
  const sources = certificateOption(certificate, "source-address");
  if (sources !== undefined && (host === undefined || !new AddressList(sources, true).includes(host))) {
    const got = host ?? "no address";
    throw new SshError("key", `expected a client at an address of the certificate's source-address, got ${got}`);
  }
  const has = (extension: string): boolean => certificate.extensions.has(extension);
  return {
    ...line,
    portForwarding: line.portForwarding && has("permit-port-forwarding"),
    noTouchRequired: line.noTouchRequired && has("no-touch-required"),
    verifyRequired: line.verifyRequired || certificate.criticalOptions.has("verify-required"),
  };
}
