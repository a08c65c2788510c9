/** Finds the host keys of a server. @module */

import { keyType } from "@postern/keys";
import { compatibleAlgorithms, none, ReverseTunnel } from "@postern/node";
import { type Bytes, Reader } from "@postern/wire";

/**
 * Connects once for each type of host key that the server has. Returns the keys that it has signed with. Each
 * connection ends before a login.
 *
 * @throws SshError if a connection fails, or there is no type in common
 */
export async function hostKeysOf(host: string, port: number, timeoutMs: number): Promise<readonly Bytes[]> {
  const { hostKeys } = compatibleAlgorithms;
  const { key: first, algorithms } = await hostKeyOf(host, port, timeoutMs, hostKeys);
  const found = [first];
  for (const algorithm of hostKeys) {
    const type = typeOf(algorithm.name);
    if (!algorithms.includes(algorithm.name) || found.some((key) => keyType(key) === type)) continue;
    // One after the other, because servers limit connections that are not logged in (MaxStartups of sshd).
    found.push((await hostKeyOf(host, port, timeoutMs, [algorithm])).key);
  }
  return found;
}

/** RSA keys have several algorithms (RFC 8332). */
function typeOf(algorithm: string): string {
  return algorithm.startsWith("rsa-sha2-") ? "ssh-rsa" : algorithm;
}

interface ShownKey {
  readonly key: Bytes;
  /** the host key algorithms that the server offers */
  readonly algorithms: readonly string[];
}

async function hostKeyOf(
  host: string,
  port: number,
  timeoutMs: number,
  hostKeys: typeof compatibleAlgorithms.hostKeys,
): Promise<ShownKey> {
  let found: Bytes | undefined;
  let algorithms: readonly string[] = [];
  const tunnel = new ReverseTunnel({
    host,
    port,
    // Never sent, because the connection ends first.
    user: "-",
    auth: none(),
    algorithms: { ...compatibleAlgorithms, hostKeys },
    hostKey: ({ key }) => {
      found = Uint8Array.from(key);
      return false;
    },
    loginTimeoutMs: timeoutMs,
    tap: () => ({
      packet({ direction, payload }) {
        if (direction === "received" && payload[0] === kexInit) algorithms = hostKeyAlgorithms(payload);
      },
    }),
  });
  try {
    await tunnel.connect({ signal: AbortSignal.timeout(timeoutMs) });
    throw new Error("expected the connection to end before the login");
  } catch (error) {
    if (found !== undefined) return { key: found, algorithms };
    throw error;
  } finally {
    await tunnel.close().catch(() => {});
  }
}

const kexInit = 20;

/** Reads server_host_key_algorithms of KEXINIT (RFC 4253 section 7.1). */
function hostKeyAlgorithms(payload: Bytes): readonly string[] {
  const reader = new Reader(payload, "KEXINIT");
  reader.raw(1 + 16);
  reader.nameList();
  return reader.nameList();
}
