/** The functions of this platform that a configuration needs. @module */
import { none } from "@postern/auth";
import type { PublicKeyAlgorithm } from "@postern/crypto";
import { parseRevokedKeys } from "@postern/keys";
import {
  createKnownHosts,
  type HostKeyOffer,
  type HostKeyVerifier,
  type KnownHostsBackend,
  type KnownHostsPolicy,
  portableBackend,
} from "@postern/tunnel";
import { SshError, toBase64 } from "@postern/wire";
import { agent } from "../agent.ts";
import { compatibleAlgorithms } from "../algorithm-sets.ts";
import { sha256 } from "../algorithms.ts";
import { commandPipe } from "../command.ts";
import { reasonOf } from "../dial.ts";
import { primitives } from "../known-hosts.ts";
import { fileBackend } from "../known-hosts-files.ts";
import { privateKeyFile } from "../private-key.ts";
import { readBounded } from "../read-file.ts";
import { selectAlgorithms } from "./algorithm-lists.ts";
import type { KnownHostsPlan, SshConfigParts } from "./parts.ts";
import { rsaBits } from "./rsa-size.ts";

/** The functions that `fromSshConfig` uses. */
export const nodeParts: SshConfigParts = {
  privateKeyFile,
  agent,
  knownHosts: createVerifier,
  // As OpenSSH: the command replaces the shell, so that its end is the command's.
  commandPipe: (command, signal, onStderr) =>
    commandPipe(process.platform === "win32" ? command : `exec ${command}`, [], { shell: true, signal, onStderr }),
  none,
};

function createVerifier(plan: KnownHostsPlan): HostKeyVerifier {
  const { files, globalFiles, mode, ask, hash, updateHostKeys, revokedHostKeys, command, hostKeyNames } = plan;
  const policy: KnownHostsPolicy = {
    hostKeyNames,
    authorities: (all) => authoritiesOf(plan, all),
    forgets: (keyType) => plan.choseHostKeys && compatibleAlgorithms.hostKeys.some((one) => one.keyType === keyType),
  };
  const base = files.length > 0 ? fileBackend(files, globalFiles) : memoryBackend(globalFiles);
  /** Adds the lines of KnownHostsCommand. */
  const create = (lines?: () => Promise<string>) => {
    const load = async () => [
      ...(await base.load()),
      ...(lines ? [{ file: undefined, text: await lines(), isUsers: false }] : []),
    ];
    const options = { mode, hash, updateHostKeys: updateHostKeys && command === undefined, ...(ask && { ask }) };
    return createKnownHosts({ ...base, load }, options, primitives, policy);
  };
  // As OpenSSH: without the lines that put algorithms in order, there is no order. The keys are asked for again.
  const verifier = create(command && (() => command().catch(() => "")));
  return {
    ...verifier,
    async check(offer) {
      if (plan.acceptsAny) return true;
      refuseShort(plan, offer);
      if (revokedHostKeys !== undefined) await refuseRevoked(revokedHostKeys, offer.key, offer.host);
      const { keyType, fingerprint, key } = offer;
      const one = command ? create(() => command({ keyType, fingerprint, base64: toBase64(key) })) : verifier;
      return await one.check(offer);
    },
  };
}

/** CASignatureAlgorithms: those that may verify a certificate. */
function authoritiesOf(
  { authorities }: KnownHostsPlan,
  all: readonly PublicKeyAlgorithm[],
): readonly PublicKeyAlgorithm[] {
  if (authorities === undefined) return all;
  const names = all.map(({ name }) => name);
  const accepted = selectAlgorithms(authorities, names, names);
  return all.filter(({ name }) => accepted.includes(name));
}

/** RequiredRSASize. */
function refuseShort({ requiredRsaBits }: KnownHostsPlan, { key, host }: HostKeyOffer): void {
  const bits = rsaBits(key);
  if (bits !== undefined && bits < requiredRsaBits)
    throw new SshError(
      "hostkey",
      `expected a host key of ${host} with RequiredRSASize ${requiredRsaBits}, got ${bits}`,
    );
}

/** Keeps new keys in memory, for `UserKnownHostsFile /dev/null`: a key that changes during a reconnection is refused. */
function memoryBackend(globalFiles: readonly string[]): KnownHostsBackend {
  const lines = new Set<string>();
  const memory = portableBackend({
    store: {
      load: () => [...lines].join("\n"),
      add: (line) => void lines.add(line),
      remove: (line) => void lines.delete(line),
    },
  });
  if (globalFiles.length === 0) return { ...memory, place: "memory" };
  const files = fileBackend([], globalFiles);
  const place = `memory, ${files.place}`;
  return { ...memory, place, load: async () => [...(await memory.load()), ...(await files.load())] };
}

const largestRevocationList = 16 * 1024 * 1024;

/** As OpenSSH: a list that cannot be read refuses every key. */
async function refuseRevoked(path: string, key: Uint8Array, host: string): Promise<void> {
  const options = { maxBytes: largestRevocationList, code: "hostkey" } as const;
  const bytes = await readBounded(path, options).catch((cause: unknown) => {
    throw new SshError("hostkey", `expected to read RevokedHostKeys ${path}, got ${reasonOf(cause)}`, { cause });
  });
  const reason = parseRevokedKeys(bytes, sha256).reason(key);
  if (reason !== undefined)
    throw new SshError("hostkey", `expected a host key of ${host} that is not revoked, got: ${reason}`);
}
