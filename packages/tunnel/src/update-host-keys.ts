/** UpdateHostKeys: learning the host keys of a server that is trusted (OpenSSH PROTOCOL section 2.5). @module */
import { type PublicKeyAlgorithm, plainName } from "@postern/crypto";
import {
  describePublicKey,
  type HmacSha1,
  type KnownHostsLine,
  keyType,
  knownKey,
  matchesKnownHost,
} from "@postern/keys";
import { type Bytes, equal, Reader, SshError, Writer } from "@postern/wire";
import type { HostKeyAnnouncement } from "./host-key.ts";

const proveRequest = "hostkeys-prove-00@openssh.com";

/** The keys that a server may announce, and the bytes of each. An RSA key of 16384 bits has 2 KiB. */
const limits = { keys: 32, bytes: 4096 } as const;

/**
 * Returns the announced keys that this connection could use. Certificates and keys of other types are left out, as in
 * OpenSSH.
 *
 * @throws SshError `protocol` if the data is malformed or a key is repeated, `limit` for too many or too large keys
 */
export function readAnnouncement(data: Bytes, algorithms: readonly PublicKeyAlgorithm[]): readonly Bytes[] {
  const reader = new Reader(data, "hostkeys-00@openssh.com");
  const keys: Bytes[] = [];
  for (let count = 1; reader.remaining > 0; count++) {
    const key = reader.string();
    if (count > limits.keys || key.length > limits.bytes) {
      throw new SshError("limit", `expected at most ${limits.keys} host keys of ${limits.bytes} bytes, got more`);
    }
    const type = keyType(key);
    if (plainName(type) !== undefined || !isUsable(type, algorithms)) continue;
    describePublicKey(key);
    if (keys.some((other) => equal(other, key))) {
      throw new SshError("protocol", `expected each host key once, got a ${type} key twice`);
    }
    keys.push(key);
  }
  return keys;
}

/** The changes that make the known keys those that the server has. */
export interface HostKeyPlan {
  readonly added: readonly Bytes[];
  readonly removed: readonly KnownHostsLine[];
}

/**
 * Plans an update, or returns `undefined` if there is nothing to do or OpenSSH would leave it to the user: the name
 * matches a wildcard, a list of more than two names, a CA or a revoked key, or one of the keys is known under another
 * name. Keys that were not announced are removed, if they are of a type that `canForget`.
 */
export function planUpdate(
  lines: readonly KnownHostsLine[],
  name: string,
  keys: readonly Bytes[],
  canForget: (keyType: string) => boolean,
  hmacSha1: HmacSha1,
): HostKeyPlan | undefined {
  if (keys.length === 0) return undefined;
  const known = lines.map(knownKey).filter((key) => key !== undefined);
  const matches = known.filter(({ line }) => matchesKnownHost(line.hosts, name, hmacSha1));
  const others = known.filter((key) => !matches.includes(key));
  const has = (list: readonly Bytes[], key: Bytes) => list.some((one) => equal(one, key));
  if (matches.some(({ line }) => line.marker !== undefined || isComplex(line.hosts))) return undefined;
  if (others.some(({ blob }) => has(keys, blob))) return undefined;
  const blobs = matches.map(({ blob }) => blob);
  const added = keys.filter((key) => !has(blobs, key));
  const old = matches.filter(({ blob }) => !has(keys, blob) && canForget(keyType(blob)));
  if (others.some(({ blob }) => old.some((one) => equal(one.blob, blob)))) return undefined;
  return added.length + old.length === 0 ? undefined : { added, removed: old.map(({ line }) => line) };
}

/** Whether a connection with these algorithms could use keys of a type. */
export function isUsable(type: string, algorithms: readonly PublicKeyAlgorithm[]): boolean {
  return algorithms.some((algorithm) => algorithm.keyType === type);
}

/** OpenSSH accepts one name, or a name and an address. */
function isComplex(hosts: string): boolean {
  return /[*?!]/.test(hosts) || hosts.split(",", 3).length > 2;
}

/**
 * Asks the server to sign with each key, and verifies the signatures.
 *
 * @throws SshError `refused` if the server does not prove a key, `protocol` if its reply is malformed
 */
export async function proveHostKeys(
  { request, sessionId }: Pick<HostKeyAnnouncement, "request" | "sessionId">,
  keys: readonly Bytes[],
  algorithms: readonly PublicKeyAlgorithm[],
): Promise<void> {
  const requested = new Writer(512);
  for (const key of keys) requested.string(key);
  const reply = await request(proveRequest, requested.finish());
  const unproved = (type: string, got: string) =>
    new SshError("refused", `expected the server to prove that it has its ${type} host key, got ${got}`);
  if (reply === undefined) throw unproved("new", "a refusal");
  const reader = new Reader(reply, proveRequest);
  if (sessionId.length === 0) throw unproved("new", "no session to bind the signature to");
  for (const key of keys) {
    const type = keyType(key);
    const signature = reader.string();
    const name = new Reader(signature, "signature").text();
    const data = new Writer(512).text(proveRequest).string(sessionId).string(key).finish();
    // The list has no `ssh-rsa`, so an RSA key must sign with rsa-sha2-256 or rsa-sha2-512.
    const algorithm = algorithms.find((one) => one.name === name && one.keyType === type);
    if (algorithm === undefined) throw unproved(type, "a signature by another algorithm");
    if ((await algorithm.verify(key, data, signature)) !== true) throw unproved(type, "an invalid signature");
  }
  reader.end();
}
