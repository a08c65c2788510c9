/** Trusts servers by known_hosts, with the decisions of OpenSSH. @module */
import type { PublicKeyAlgorithm } from "@postern/crypto";
import {
  checkCertificate,
  checkKnownHosts,
  createCertificateAlgorithm,
  createFingerprint,
  formatKnownHostsLine,
  type KnownHostsLine,
  type KnownHostsVerdict,
  keyType,
  knownTypes,
  matchesKnownHost,
  namesToLookUp,
  orderHostKeyAlgorithms,
  parseKnownHosts,
} from "@postern/keys";
import { quote, SshError, toSshError } from "@postern/wire";
import type { HostKeyEndpoint, HostKeyOffer, HostKeyVerifier } from "./host-key.ts";
import {
  checkKnownHostsOptions,
  type HostKeyUpdate,
  type KnownHostsBackend,
  type KnownHostsOptions,
  type KnownHostsPrimitives,
} from "./known-hosts-options.ts";
import { planUpdate, proveHostKeys, readAnnouncement } from "./update-host-keys.ts";

/** The lines of all texts in order, and those that UpdateHostKeys may change. */
interface Lines {
  readonly all: readonly KnownHostsLine[];
  readonly users: readonly KnownHostsLine[];
}

/** Creates a platform's `knownHosts`. @throws SshError `misuse` */
export function createKnownHosts(
  backend: KnownHostsBackend,
  options: KnownHostsOptions,
  primitives: KnownHostsPrimitives,
): HostKeyVerifier {
  checkKnownHostsOptions(options);
  const { change } = backend;
  const { mode = "strict", ask, hash = false, updateHostKeys = false, onUpdate } = options;
  if (change === undefined && (mode === "accept-new" || ask !== undefined || updateHostKeys)) {
    throw new SshError("misuse", `expected a store or files to add keys to, got ${backend.place}, which never changes`);
  }
  const { hmacSha1, sha256, random, moreHostKeys } = primitives;
  const fingerprintOf = createFingerprint(sha256);
  /** Keys that were stored in accept-new mode are not proved to be the server's, so its other keys are not either. */
  const unproved = new WeakSet<HostKeyOffer>();

  const load = async (): Promise<Lines> => {
    try {
      const texts = await backend.load();
      const lines = texts.map(({ text, file, isUsers }) => ({ isUsers, lines: parseKnownHosts(text, file) }));
      return {
        all: lines.flatMap((one) => one.lines),
        users: lines.flatMap((one) => (one.isUsers ? one.lines : [])),
      };
    } catch (error) {
      throw refusal(`expected to read the known hosts of ${backend.place}, got an error: ${reasonOf(error)}`, error);
    }
  };
  let last: { readonly key: string; readonly matching: ReadonlySet<number> } | undefined;
  /**
   * Returns the lines of a host. Matching a hashed name costs an HMAC, so it is done once, and again only if the names
   * of the lines have changed.
   */
  const linesOf = (lines: readonly KnownHostsLine[], endpoint: HostKeyEndpoint): readonly KnownHostsLine[] => {
    const names = namesToLookUp(endpoint);
    const key = [...names, "", ...lines.map(({ hosts }) => hosts)].join("\n");
    if (last?.key !== key) {
      const matches = ({ hosts }: KnownHostsLine) => names.some((name) => matchesKnownHost(hosts, name, hmacSha1));
      last = { key, matching: new Set(lines.flatMap((line, index) => (matches(line) ? [index] : []))) };
    }
    const { matching } = last;
    return lines.filter((_, index) => matching.has(index));
  };
  const lineFor = (name: string, key: HostKeyOffer["key"]) =>
    formatKnownHostsLine(name, key, hash ? { bytes: random(20), hmacSha1 } : undefined);

  /** Whether the certificate counts, or why not. */
  const certificateProblem = async (offer: HostKeyOffer): Promise<string | undefined> => {
    const { certificate, host, hostKeyAlias = host, hostKeyAlgorithms = [] } = offer;
    if (certificate === undefined) return undefined;
    try {
      await checkCertificate(certificate, {
        type: "host",
        principal: hostKeyAlias,
        authorities: [certificate.signatureKey],
        now: Date.now(),
        algorithms: hostKeyAlgorithms,
      });
      return undefined;
    } catch (error) {
      return reasonOf(error);
    }
  };

  /** Adds algorithms of known keys, where OpenSSH has them: after Ed25519. A CA may certify keys of any type. */
  const addKnown = async (
    offered: readonly PublicKeyAlgorithm[],
    types: ReadonlySet<string>,
    hasAuthority: boolean,
  ): Promise<readonly PublicKeyAlgorithm[]> => {
    const more = (await moreHostKeys?.()) ?? [];
    const known = more.filter((one) => hasAuthority || types.has(one.keyType));
    return [...offered.slice(0, 1), ...known, ...offered.slice(1)];
  };

  const lookUp = async (offer: HostKeyOffer, problem: string | undefined): Promise<KnownHostsVerdict> => {
    const { all } = await load();
    const certificate = offer.certificate && {
      signatureKey: offer.certificate.signatureKey,
      isValid: problem === undefined,
    };
    return checkKnownHosts(linesOf(all, offer), { ...offer, key: plainKey(offer), certificate }, hmacSha1);
  };

  /** Whether the user, or the mode, accepts a key of a host of which no key is known. */
  const isAccepted = async (offer: HostKeyOffer): Promise<boolean> => {
    if (ask === undefined) {
      if (mode === "accept-new") unproved.add(offer);
      return mode === "accept-new";
    }
    const [name] = namesToLookUp(offer);
    const { host, port, hostKeyAlias, fingerprint } = offer;
    const key = plainKey(offer);
    const type = keyType(key);
    const reason = `no key of ${quote(name)} is known in ${backend.place}`;
    if ((await ask({ host, port, hostKeyAlias, key, keyType: type, fingerprint, reason })) === true) return true;
    throw refusal(`expected ask to accept the host key ${fingerprint} (${type}) of ${quote(name)}, got a refusal`);
  };

  /** Settles once the keys before are stored. */
  let lastStored: Promise<unknown> = Promise.resolve();
  /**
   * Stores an accepted key. If a key of the host has been stored since the lookup, by another connection or program,
   * stores nothing, and returns the verdict by it.
   */
  const store = (offer: HostKeyOffer, problem: string | undefined): Promise<KnownHostsVerdict | undefined> => {
    const stored = lastStored.then(async () => {
      const verdict = await lookUp(offer, problem);
      if (verdict.status !== "unknown") return verdict;
      const [name] = namesToLookUp(offer);
      try {
        await change?.([lineFor(name, plainKey(offer))], []);
      } catch (error) {
        throw refusal(
          `expected to store the host key of ${quote(name)} in ${backend.place}: ${reasonOf(error)}`,
          error,
        );
      }
      return undefined;
    });
    lastStored = stored.catch(() => {});
    return stored;
  };

  const verifier: HostKeyVerifier = {
    async algorithms(endpoint, given, isDefault = false) {
      const own = linesOf((await load()).all, endpoint);
      const { types, hasAuthority } = knownTypes(own, endpoint, hmacSha1);
      const offered = isDefault ? await addKnown(given, types, hasAuthority) : given;
      // Certificates are of no use without a CA. Built on the algorithms of the connection, they verify as those do.
      const isPlain = offered.every(({ readCertificate }) => readCertificate === undefined);
      const usable = isPlain && hasAuthority ? [...offered.map(createCertificateAlgorithm), ...offered] : offered;
      const byName = new Map(usable.map((one) => [one.name, one]));
      const names = orderHostKeyAlgorithms([...byName.keys()], own, endpoint, hmacSha1);
      return names.map((name) => byName.get(name)).filter((one) => one !== undefined);
    },
    async check(offer) {
      const problem = await certificateProblem(offer);
      let verdict = await lookUp(offer, problem);
      if (verdict.status === "unknown" && (await isAccepted(offer))) {
        const since = await store(offer, problem);
        if (since === undefined) return true;
        verdict = since;
      }
      if (verdict.status === "trusted") return true;
      const why = problem === undefined ? "" : `; its certificate does not count: ${problem}`;
      throw refusal(explain(verdict, offer, backend, fingerprintOf) + why);
    },
  };
  if (!updateHostKeys || change === undefined) return verifier;
  return {
    ...verifier,
    async updateHostKeys(offer, announcement) {
      const { host, port, certificate, hostKeyAlgorithms = [], ...rest } = offer;
      if (certificate !== undefined || unproved.has(offer)) return;
      const query = { ...rest, host, port };
      let update: HostKeyUpdate | undefined;
      try {
        const { all, users } = await load();
        const [name] = namesToLookUp(offer);
        const own = linesOf(all, offer);
        const verdict = checkKnownHosts(own, query, hmacSha1);
        if (verdict.status !== "trusted" || verdict.name !== name || !users.includes(verdict.line)) return;
        const keys = readAnnouncement(announcement.data, hostKeyAlgorithms);
        const isRevoked = (key: HostKeyOffer["key"]) =>
          checkKnownHosts(own, { ...query, key }, hmacSha1).status === "revoked";
        if (keys.some(isRevoked)) return;
        const plan = planUpdate(users, name, keys, hostKeyAlgorithms, hmacSha1);
        if (plan === undefined) return;
        if (plan.added.length > 0) await proveHostKeys(announcement, plan.added, hostKeyAlgorithms);
        const added = plan.added.map((key) => lineFor(name, key));
        await change(added, plan.removed);
        update = { host, port, added, removed: plan.removed.map(({ text }) => text) };
      } catch (error) {
        const failed = toSshError(error, "hostkey", `the host keys of ${quote(host)} were not updated`);
        update = { host, port, added: [], removed: [], error: failed };
      }
      onUpdate?.(update);
    },
  };
}

function refusal(message: string, cause?: unknown): SshError {
  return new SshError("hostkey", message, cause === undefined ? undefined : { cause });
}

/** A certificate stands for its key: only that is stored and compared with stored keys. */
function plainKey({ key, certificate }: HostKeyOffer): HostKeyOffer["key"] {
  return certificate?.publicKey ?? key;
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Says what was expected, what came, and what to do. */
function explain(
  verdict: Exclude<KnownHostsVerdict, { readonly status: "trusted" }>,
  offer: HostKeyOffer,
  { place, sshOptions, given = "", change }: KnownHostsBackend,
  fingerprintOf: (key: HostKeyOffer["key"]) => string,
): string {
  const [name] = namesToLookUp(offer);
  const got = `${offer.fingerprint} (${keyType(plainKey(offer))})`;
  if (verdict.status === "unknown") {
    const { host, port, hostKeyAlias } = offer;
    const alias = hostKeyAlias === undefined ? "" : ` -o HostKeyAlias=${hostKeyAlias}`;
    const bySsh = sshOptions === undefined ? "" : `ssh${sshOptions}${alias} -p ${port} ${host}, or `;
    const how = change
      ? `accept it once: ${bySsh}knownHosts({ ${given}mode: "accept-new" })`
      : `add its line, which this command prints: ssh-keyscan -p ${port} ${host}`;
    return (
      `expected a known host key of ${quote(name)}, got ${got}, which is not in ${place}. ` +
      `If this is the fingerprint of your server, ${how}`
    );
  }
  const { line } = verdict;
  const where = `${line.file ?? place} line ${line.number}`;
  if (verdict.status === "revoked") {
    return `expected a host key of ${quote(name)} that is not revoked, got ${got}; ${where} revokes it`;
  }
  const old = verdict.keys.map(
    ({ blob, line: { number } }) => `${fingerprintOf(blob)} (${keyType(blob)}, line ${number})`,
  );
  const how = line.file === undefined ? ` from ${place}` : `: ssh-keygen -R ${quote(name)} -f ${quote(line.file)}`;
  return (
    `expected the host key of ${quote(name)} to be ${old.slice(0, 4).join(" or ")}, got ${got}: the key has changed, ` +
    `which may be an attack (${where}). If your server has a new key, remove the old one${how}`
  );
}
