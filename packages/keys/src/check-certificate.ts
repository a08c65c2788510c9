/** The conditions of a certificate (OpenSSH PROTOCOL.certkeys, `sshkey_cert_check_authority`). @module */
import type { Certificate, PublicKeyAlgorithm } from "@postern/crypto";
import { type Bytes, equal, expectNumber, expectType, quote, Reader, SshError } from "@postern/wire";
import { matchPattern } from "./match-pattern.ts";
import { keyType } from "./public-key.ts";

/** The conditions that a certificate must meet. */
export interface CertificateConditions {
  readonly type: "user" | "host";
  /**
   * The name that must be among the principals: a host name or address without a port, or a user name; or several
   * names, one of which must be. Principals of hosts may have the wildcards `*` and `?`.
   */
  readonly principal: string | readonly string[];
  /** the blobs of the trusted CA keys */
  readonly authorities: readonly Bytes[];
  /** milliseconds since 1970, such as `Date.now()` */
  readonly now: number;
  /** the algorithms that the CA may have signed with. They verify its signature. */
  readonly algorithms: readonly PublicKeyAlgorithm[];
  /** the critical options that the caller enforces. Others are refused. Default: none. */
  readonly criticalOptions?: readonly string[];
}

/**
 * Checks a certificate as OpenSSH 10.3 does: type, CA, validity, principals, critical options, then the CA's signature.
 * A certificate without principals matches no name.
 *
 * Await the result: some platforms verify asynchronously.
 *
 * @throws SshError `key` that names the condition that does not hold
 * @example
 * await checkCertificate(certificate, {
 *   type: "host", principal: "ssh.example.com", authorities: [ca], now: Date.now(), algorithms,
 * });
 */
export async function checkCertificate(certificate: Certificate, conditions: CertificateConditions): Promise<void> {
  checkConditions(certificate, conditions);
  await checkSignature(certificate, conditions.algorithms);
}

/** Checks all conditions except the CA's signature, as `checkCertificate` does. */
export function checkConditions(certificate: Certificate, conditions: Omit<CertificateConditions, "algorithms">): void {
  const { type, principal, authorities, now, criticalOptions = [] } = conditions;
  expectNumber("now", now);
  if (certificate.type !== type)
    throw refused(certificate, `expected a ${type} certificate, got a ${certificate.type} certificate`);
  if (!authorities.some((authority) => equal(authority, certificate.signatureKey))) {
    throw refused(
      certificate,
      `expected a signature by a trusted CA, got one by another ${keyType(certificate.signatureKey)} key`,
    );
  }
  checkValidity(certificate, now);
  checkPrincipals(certificate, typeof principal === "string" ? [principal] : principal);
  for (const name of certificate.criticalOptions.keys()) {
    if (criticalOptions.includes(name)) continue;
    const supported = criticalOptions.length === 0 ? "no critical options" : `only ${criticalOptions.join(", ")}`;
    throw refused(certificate, `expected ${supported}, got the critical option ${quote(name, 64)}`);
  }
}

function checkValidity(certificate: Certificate, now: number): void {
  const { validAfter, validBefore } = certificate;
  const seconds = BigInt(Math.floor(Math.min(now, Number.MAX_SAFE_INTEGER) / 1000));
  if (seconds < validAfter) {
    throw refused(
      certificate,
      `expected a certificate that is valid at ${date(seconds)}, got one valid from ${date(validAfter)}; check the clock`,
    );
  }
  if (seconds >= validBefore) {
    throw refused(
      certificate,
      `expected a certificate that is valid at ${date(seconds)}, got one expired at ${date(validBefore)}`,
    );
  }
}

function checkPrincipals(certificate: Certificate, names: readonly string[]): void {
  const { type, principals } = certificate;
  for (const name of names) expectType("principal", name, "string");
  // As in OpenSSH, a host name is compared in lower case. An empty name matches nothing, not even "*".
  const matches = (name: string, principal: string): boolean =>
    name !== "" && (type === "host" ? matchPattern(name.toLowerCase(), principal) : name === principal);
  if (names.some((name) => principals.some((principal) => matches(name, principal)))) return;
  const shown = principals
    .slice(0, 8)
    .map((name) => quote(name, 64))
    .join(", ");
  const got = principals.length === 0 ? "none" : shown + (principals.length > 8 ? ", …" : "");
  const wanted = names.map((name) => quote(name, 64)).join(" or ");
  throw refused(certificate, `expected ${wanted} among the principals, got ${got}`);
}

/** Checks only the CA's signature. @throws SshError `key` if it is invalid or its algorithm is not in the list */
export async function checkSignature(
  certificate: Certificate,
  algorithms: readonly PublicKeyAlgorithm[],
): Promise<void> {
  const { signature, signatureKey, signed } = certificate;
  const name = signatureName(signature);
  const algorithm = algorithms.find((known) => known.name === name && known.keyType === keyType(signatureKey));
  if (algorithm === undefined) {
    const names = algorithms.map((known) => known.name).join(", ");
    const sha1 = name === "ssh-rsa" ? ", which uses SHA-1; sign again with: ssh-keygen -t rsa-sha2-512 -s CA …" : "";
    throw refused(certificate, `expected a CA signature with one of ${names}, got ${quote(name, 64)}${sha1}`);
  }
  // Only `true` is valid. The algorithm throws if the CA key is malformed.
  if ((await algorithm.verify(signatureKey, signed, signature)) === true) return;
  throw refused(certificate, `expected a valid ${name} signature of the CA, got an invalid one`);
}

function signatureName(signature: Bytes): string {
  try {
    return new Reader(signature, "signature").text();
  } catch {
    return "";
  }
}

/** Formats seconds since 1970. The largest value means forever. */
function date(seconds: bigint): string {
  return seconds > 253_402_300_799n
    ? "the far future"
    : new Date(Number(seconds) * 1000).toISOString().replace(".000", "");
}

function refused({ keyId, serial }: Certificate, why: string): SshError {
  return new SshError("key", `${why} (certificate ${quote(keyId, 64)}, serial ${serial})`);
}
