/** Checks of the known_hosts vectors, which `ssh` and `ssh-keygen` decided. Runs in every runtime. @module */
import type { PublicKeyAlgorithm } from "@postern/crypto";
import {
  checkCertificate,
  checkKnownHosts,
  type HmacSha1,
  type KnownHostsVerdict,
  knownKeys,
  namesToLookUp,
  parseCertificate,
  parseKnownHosts,
  parsePublicKey,
} from "@postern/keys";
import { equal, testsOf, type Vector, type VectorFile, type VectorTest } from "./vector-checks.ts";

export interface KnownHostsVector extends Vector {
  readonly text: string;
  readonly host: string;
  readonly port: number;
  readonly hostKeyAlias?: string;
  /** type and base64 of the plain key */
  readonly key: string;
  /** type and base64 of the certificate that the server presents */
  readonly certificate?: string;
  /** milliseconds since 1970 */
  readonly now: number;
  readonly verdict: KnownHostsVerdict["status"];
  /** absent if the verdict is `unknown`, or OpenSSH does not print the line */
  readonly line?: number;
  /** the readable lines that `ssh-keygen -l -F` finds for the first name; absent if we read one more on purpose */
  readonly found?: readonly number[];
}

/** Looks up each key. */
export function knownHostsTests(
  file: VectorFile,
  algorithms: readonly PublicKeyAlgorithm[],
  hmacSha1: HmacSha1,
): VectorTest[] {
  return testsOf<KnownHostsVector>(file, file.algorithm, async (vector) => {
    const lines = parseKnownHosts(vector.text);
    const verdict = await knownHostsVerdict(vector, algorithms, hmacSha1);
    equal(verdict.status, vector.verdict);
    if (vector.line !== undefined) equal("line" in verdict ? verdict.line.number : undefined, vector.line);
    const found = knownKeys(lines, namesToLookUp(vector)[0], hmacSha1).map(({ line }) => line.number);
    if (vector.found !== undefined) equal(found.join(), vector.found.join());
  });
}

/** Returns our verdict. */
export async function knownHostsVerdict(
  vector: Omit<KnownHostsVector, keyof Vector | "verdict">,
  algorithms: readonly PublicKeyAlgorithm[],
  hmacSha1: HmacSha1,
): Promise<KnownHostsVerdict> {
  const { text, host, port, hostKeyAlias, now } = vector;
  const certificate = vector.certificate && parseCertificate(parsePublicKey(vector.certificate).blob);
  const conditions = { type: "host", principal: hostKeyAlias ?? host, now, algorithms } as const;
  const isValid =
    certificate &&
    (await checkCertificate(certificate, { ...conditions, authorities: [certificate.signatureKey] }).then(
      () => true,
      () => false,
    ));
  const query = {
    ...{ host, port, hostKeyAlias },
    key: parsePublicKey(vector.key).blob,
    certificate: certificate ? { signatureKey: certificate.signatureKey, isValid: isValid === true } : undefined,
  };
  return checkKnownHosts(parseKnownHosts(text), query, hmacSha1);
}
