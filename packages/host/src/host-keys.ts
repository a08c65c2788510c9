/** Announces the server's host keys and proves their possession: OpenSSH PROTOCOL section 2.5. @module */
import { plainName, type Signer } from "@postern/crypto";
import { isCertificate } from "@postern/keys";
import type { SshConnection } from "@postern/ssh";
import { type Bytes, equal, Reader, SshError, Writer } from "@postern/wire";

const proveRequest = "hostkeys-prove-00@openssh.com";

/** Announces all keys, so that a client learns a new key before the old one is retired. */
export function announceHostKeys(connection: SshConnection, hostKeys: readonly Signer[]): void {
  const writer = new Writer(512);
  for (const { publicKey } of withoutCertificates(hostKeys)) writer.string(publicKey);
  connection.notify("hostkeys-00@openssh.com", writer.finish());
}

/**
 * Returns the reply to `hostkeys-prove-00@openssh.com`: a signature by each requested key, in the order of the request.
 *
 * @throws SshError `refused` for an unknown key or too many keys; `protocol` for a malformed request
 */
export async function proveHostKeys(
  connection: SshConnection,
  hostKeys: readonly Signer[],
  specificData: Bytes,
): Promise<Bytes> {
  const reader = new Reader(specificData, proveRequest);
  const known = withoutCertificates(hostKeys);
  const requested: Signer[] = [];
  while (reader.remaining > 0) {
    const blob = reader.string();
    const signer = known.find(({ publicKey }) => equal(publicKey, blob));
    if (signer === undefined || requested.length >= known.length) {
      const got = signer === undefined ? "another key" : "too many keys";
      throw new SshError("refused", `expected a request for this server's host keys, each once, got ${got}`);
    }
    requested.push(signer);
  }
  const { sessionId, algorithms } = connection.peer;
  const negotiated = plainName(algorithms.hostKey) ?? algorithms.hostKey;
  const reply = new Writer(512);
  for (const signer of requested) {
    const data = new Writer(512).text(proveRequest).string(sessionId).string(signer.publicKey).finish();
    // An RSA key signs with the algorithm of the key exchange if that is an RSA algorithm, otherwise with its best.
    const algorithm = signer.algorithms.find((name) => name === negotiated) ?? signer.algorithms[0];
    if (algorithm === undefined) throw new SshError("misuse", "expected a host key with an algorithm, got none");
    reply.string(await signer.sign(data, algorithm));
  }
  return reply.finish();
}

/** As in OpenSSH, only plain keys are announced: a client stores keys, and trusts certificates by their CA. */
function withoutCertificates(hostKeys: readonly Signer[]): readonly Signer[] {
  return hostKeys.filter(({ publicKey }) => !isCertificate(publicKey));
}
