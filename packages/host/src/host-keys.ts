/** Tells clients all host keys and proves them: OpenSSH PROTOCOL section 2.5. @module */
import type { Signer } from "@postern/crypto";
import type { SshConnection } from "@postern/ssh";
import { type Bytes, equal, Reader, SshError, Writer } from "@postern/wire";

const proveRequest = "hostkeys-prove-00@openssh.com";

/** Announces the keys, so that a client can learn the next one before the old one is gone. */
export function announceHostKeys(connection: SshConnection, hostKeys: readonly Signer[]): void {
  const writer = new Writer(512);
  for (const { publicKey } of hostKeys) writer.string(publicKey);
  connection.notify("hostkeys-00@openssh.com", writer.finish());
}

/**
 * The answer to `hostkeys-prove-00@openssh.com`: a signature by each key asked for, in that order.
 *
 * @throws SshError `refused` for a key that is not ours, or more keys than we have; `protocol` for a malformed request
 */
export async function proveHostKeys(
  connection: SshConnection,
  hostKeys: readonly Signer[],
  specificData: Bytes,
): Promise<Bytes> {
  const reader = new Reader(specificData, proveRequest);
  const asked: Signer[] = [];
  while (reader.remaining > 0) {
    const blob = reader.string();
    const signer = hostKeys.find(({ publicKey }) => equal(publicKey, blob));
    if (signer === undefined || asked.length >= hostKeys.length) {
      throw new SshError("refused", "expected to prove host keys of ours, each once");
    }
    asked.push(signer);
  }
  const { sessionId, algorithms } = connection.peer;
  const answer = new Writer(512);
  for (const signer of asked) {
    const data = new Writer(512).text(proveRequest).string(sessionId).string(signer.publicKey).finish();
    // An RSA key signs with the algorithm of the key exchange if that was RSA, else with its best.
    const algorithm = signer.algorithms.find((name) => name === algorithms.hostKey) ?? signer.algorithms[0];
    if (algorithm === undefined) throw new SshError("misuse", "expected a host key with an algorithm");
    answer.string(await signer.sign(data, algorithm));
  }
  return answer.finish();
}
