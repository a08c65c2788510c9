/** Whether known_hosts trusts a host key, and the order of its algorithms: the decisions of OpenSSH. @module */
import { plainName } from "@postern/crypto";
import { type Bytes, equal } from "@postern/wire";
import {
  type HmacSha1,
  type KnownHostsLine,
  type KnownKey,
  knownHostsName,
  knownKeys,
  revokes,
} from "./known-hosts.ts";
import { keyType } from "./public-key.ts";

/** A host key to look up. */
export interface KnownHostsQuery {
  readonly host: string;
  readonly port: number;
  /** the name to look up instead of host and port, see HostKeyAlias in ssh_config(5) */
  readonly hostKeyAlias?: string | undefined;
  /** the blob of the plain public key, also if the server presented a certificate */
  readonly key: Bytes;
  /** the certificate that the server presented for the key */
  readonly certificate?:
    | {
        /** the CA's public key blob */
        readonly signatureKey: Bytes;
        /** whether all conditions hold except that the CA is known, see `checkCertificate` */
        readonly isValid: boolean;
      }
    | undefined;
}

/**
 * - `trusted`: `line` holds the key or its CA; `name` is the name that matched
 * - `unknown`: no key of the host is known
 * - `changed`: only other keys are known, the last one in `line`, as `ssh` prints it
 * - `revoked`: `line` revokes the key or its CA
 */
export type KnownHostsVerdict =
  | { readonly status: "trusted"; readonly line: KnownHostsLine; readonly name: string }
  | { readonly status: "unknown" }
  | { readonly status: "changed"; readonly line: KnownHostsLine; readonly keys: readonly KnownKey[] }
  | { readonly status: "revoked"; readonly line: KnownHostsLine };

/** Returns the names to look up, in order: OpenSSH also trusts a key that is known for the host without its port. */
export function namesToLookUp(
  query: Pick<KnownHostsQuery, "host" | "port" | "hostKeyAlias">,
): readonly [string, ...string[]] {
  const { host, port, hostKeyAlias } = query;
  if (hostKeyAlias !== undefined) return [knownHostsName(hostKeyAlias, 22)];
  return port === 22 ? [knownHostsName(host, 22)] : [knownHostsName(host, port), knownHostsName(host, 22)];
}

/**
 * Looks up a host key. A revoked key or CA refuses it in any case. A certificate that does not count leaves the plain
 * key, as in OpenSSH.
 */
export function checkKnownHosts(
  lines: readonly KnownHostsLine[],
  query: KnownHostsQuery,
  hmacSha1: HmacSha1,
): KnownHostsVerdict {
  const known = namesToLookUp(query).map((name) => ({ name, keys: knownKeys(lines, name, hmacSha1) }));
  const { key, certificate } = query;
  for (const entry of known.flatMap(({ keys }) => keys)) {
    if (revokes(entry, key) || (certificate && revokes(entry, certificate.signatureKey)))
      return { status: "revoked", line: entry.line };
  }
  return trusted(known, query) ?? changed(known.slice(0, 1).flatMap(({ keys }) => keys)) ?? { status: "unknown" };
}

type Known = readonly { readonly name: string; readonly keys: readonly KnownKey[] }[];

/** The name without the port counts only if the CA, or any plain key, is not known for the name with it. */
function trusted([first, ...others]: Known, query: KnownHostsQuery): KnownHostsVerdict | undefined {
  if (first === undefined) return undefined;
  const { name, keys } = first;
  const { key, certificate } = query;
  const authorities = keys.filter(({ line }) => line.marker === "@cert-authority");
  const plain = keys.filter(({ line }) => line.marker === undefined);
  const find = (list: readonly KnownKey[], blob: Bytes) => list.find((one) => equal(one.blob, blob));
  const authority = certificate && find(authorities, certificate.signatureKey);
  const found = (certificate?.isValid ? authority : undefined) ?? find(plain, key);
  if (found !== undefined) return { status: "trusted", line: found.line, name };
  if (certificate !== undefined && authority === undefined) {
    const withoutPort = trusted(others, query);
    if (withoutPort !== undefined) return withoutPort;
  }
  return plain.length === 0 ? trusted(others, { ...query, certificate: undefined }) : undefined;
}

function changed(known: readonly KnownKey[]): KnownHostsVerdict | undefined {
  const keys = known.filter(({ line }) => line.marker === undefined);
  const last = keys.at(-1);
  return last && { status: "changed", line: last.line, keys };
}

/**
 * Orders the names of host key algorithms by what is known of a host: those of known keys first, certificates too if a
 * CA is known. The order stays if the first algorithm has a known key, or nothing is known.
 */
export function orderHostKeyAlgorithms(
  names: readonly string[],
  lines: readonly KnownHostsLine[],
  query: Pick<KnownHostsQuery, "host" | "port" | "hostKeyAlias">,
  hmacSha1: HmacSha1,
): readonly string[] {
  const [name] = namesToLookUp(query);
  const keys = knownKeys(lines, name, hmacSha1);
  const types = new Set(keys.filter(({ line }) => line.marker === undefined).map(({ blob }) => keyType(blob)));
  const hasAuthority = keys.some(({ line }) => line.marker === "@cert-authority");
  const isKnown = (algorithm: string) => types.has(keyTypeOf(algorithm));
  const [best] = names;
  if (best === undefined || isKnown(best)) return names;
  const isPreferred = (algorithm: string) => isKnown(algorithm) || (hasAuthority && plainName(algorithm) !== undefined);
  return [...names.filter(isPreferred), ...names.filter((algorithm) => !isPreferred(algorithm))];
}

/** Returns the types of the keys that are known for a host, with or without its port, and whether a CA is known. */
export function knownTypes(
  lines: readonly KnownHostsLine[],
  query: Pick<KnownHostsQuery, "host" | "port" | "hostKeyAlias">,
  hmacSha1: HmacSha1,
): { readonly types: ReadonlySet<string>; readonly hasAuthority: boolean } {
  const keys = namesToLookUp(query).flatMap((name) => knownKeys(lines, name, hmacSha1));
  return {
    types: new Set(keys.filter(({ line }) => line.marker === undefined).map(({ blob }) => keyType(blob))),
    hasAuthority: keys.some(({ line }) => line.marker === "@cert-authority"),
  };
}

/** Returns the type of the plain key that signs with an algorithm. */
function keyTypeOf(algorithm: string): string {
  const plain = plainName(algorithm) ?? algorithm;
  return plain.startsWith("rsa-sha2-") ? "ssh-rsa" : plain;
}
