/** Checks of the certificate vectors, which ssh-keygen wrote. Runs in every runtime. @module */
import { type Certificate, type PublicKeyAlgorithm, plainName } from "@postern/crypto";
import {
  checkCertificate,
  formatPublicKey,
  isCertificate,
  parseCertificate,
  parsePublicKey,
  parseRevokedKeys,
} from "@postern/keys";
import { sha256, sha256Fingerprint } from "@postern/noble";
import { type Bytes, fromHex, fromUtf8, Reader, toHex } from "@postern/wire";
import {
  equal,
  ok,
  testsOf,
  type Vector,
  type VectorFile,
  type VectorGroup,
  type VectorTest,
} from "./vector-checks.ts";

export interface CertificateVector extends Vector {
  readonly certificate: string;
  readonly publicLine: string;
  readonly authority: string;
  readonly type: "user" | "host";
  readonly publicFingerprint: string;
  readonly authorityFingerprint: string;
  readonly signatureAlgorithm: string;
  readonly keyId: string;
  readonly serial: string;
  readonly principals: readonly string[];
  readonly validAfter: string;
  readonly validBefore: string;
  /** as `ssh-keygen -L` prints them */
  readonly criticalOptions: readonly string[];
  readonly extensions: readonly string[];
  readonly data: string;
  readonly signature: string;
}

export interface KrlVector extends Vector {
  readonly krl: string;
  /** the names of the subjects that `ssh-keygen -Q` finds revoked */
  readonly revoked: readonly string[];
}

/** A file of KRLs; each group has the keys and certificates that they revoke. */
export interface KrlFile extends VectorFile {
  readonly testGroups: readonly (VectorGroup & { readonly subjects: Readonly<Record<string, string>> })[];
}

/**
 * Compares each field with what `ssh-keygen -L` prints, checks the conditions and the CA's signature, and verifies a
 * signature of the certified key. `plain` and `certified` are algorithms of one provider.
 */
export function certificateTests(
  file: VectorFile,
  plain: readonly PublicKeyAlgorithm[],
  certified: readonly PublicKeyAlgorithm[],
): VectorTest[] {
  return testsOf<CertificateVector>(file, file.algorithm, async (vector) => {
    const { blob, type } = parsePublicKey(vector.certificate);
    const certificate = parseCertificate(blob);
    ok(isCertificate(blob));
    equal(plainName(type), file.algorithm);
    equal(certificate.keyType, type);
    compare(certificate, vector);
    await checkAuthority(certificate, vector, plain);
    const [data, signature] = [fromHex(vector.data), fromHex(vector.signature)];
    const name = new Reader(signature, "signature").text();
    const algorithm = certified.find((one) => plainName(one.name) === name);
    ok(algorithm, `expected the algorithm ${name}`);
    equal(await algorithm.verify(blob, data, signature), true, "expected the signature of OpenSSH to be of the key");
    data[0] = (data[0] ?? 0) ^ 1;
    equal(await algorithm.verify(blob, data, signature), false, "expected other data not to verify");
  });
}

function compare(certificate: Certificate, vector: CertificateVector): void {
  equal(formatPublicKey(certificate.publicKey), vector.publicLine);
  equal(sha256Fingerprint(certificate.publicKey), vector.publicFingerprint);
  equal(formatPublicKey(certificate.signatureKey), vector.authority);
  equal(sha256Fingerprint(certificate.signatureKey), vector.authorityFingerprint);
  equal(new Reader(certificate.signature, "signature").text(), vector.signatureAlgorithm);
  equal(certificate.type, vector.type);
  equal(certificate.keyId, vector.keyId);
  equal(String(certificate.serial), vector.serial);
  equal(certificate.principals.join("\n"), vector.principals.join("\n"));
  equal(String(certificate.validAfter), vector.validAfter);
  equal(String(certificate.validBefore), vector.validBefore);
  equal(listed(certificate.criticalOptions).join("\n"), vector.criticalOptions.join("\n"));
  equal(listed(certificate.extensions).join("\n"), vector.extensions.join("\n"));
}

/** Formats options as `ssh-keygen -L` does. */
function listed(options: ReadonlyMap<string, Bytes>): readonly string[] {
  return [...options].map(([name, data]) => {
    if (name === "force-command" || name === "source-address") {
      return `${name} ${fromUtf8(new Reader(data, name).string())}`;
    }
    return data.length === 0 ? name : `${name} UNKNOWN OPTION: ${toHex(data)} (len ${data.length})`;
  });
}

async function checkAuthority(
  certificate: Certificate,
  { type, signatureAlgorithm, principals, criticalOptions }: CertificateVector,
  algorithms: readonly PublicKeyAlgorithm[],
): Promise<void> {
  const [principal = "ann"] = principals;
  const conditions = {
    ...{ type, principal, algorithms, authorities: [certificate.signatureKey], now: 1_780_000_000_000 },
    criticalOptions: criticalOptions.map((option) => option.split(" ")[0] ?? ""),
  };
  const message = await checkCertificate(certificate, conditions).then(
    () => "",
    (error: Error) => error.message,
  );
  // Never SHA-1, and no certificate for everyone (OpenSSH 10.3).
  if (signatureAlgorithm === "ssh-rsa") ok(message.includes('got "ssh-rsa", which uses SHA-1'), message);
  else if (principals.length === 0) ok(message.includes("among the principals, got none"), message);
  else equal(message, "");
}

/** Compares the revoked subjects of each KRL with those of `ssh-keygen -Q`. */
export function krlTests(file: KrlFile): VectorTest[] {
  const subjects = Object.entries(file.testGroups[0]?.subjects ?? {});
  return testsOf<KrlVector>(file, "krl", ({ flags, krl, revoked }) => {
    const parse = () => parseRevokedKeys(fromHex(krl), sha256);
    if (flags.includes("Sha1Signature")) {
      try {
        parse();
      } catch (error) {
        ok(error instanceof Error && error.message.includes("got SHA-1"));
        return;
      }
      throw new Error("expected a KRL with SHA-1 to be refused");
    }
    const list = parse();
    const found = subjects
      .filter(([, line]) => list.reason(parsePublicKey(line).blob) !== undefined)
      .map(([name]) => name);
    equal(found.join(", "), revoked.join(", "));
  });
}
