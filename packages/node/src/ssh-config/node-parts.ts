/** The functions of this platform that a configuration needs. @module */
import { none } from "@postern/auth";
import { parseRevokedKeys } from "@postern/keys";
import { createKnownHosts, type HostKeyVerifier, portableBackend } from "@postern/tunnel";
import { SshError, toBase64 } from "@postern/wire";
import { agent } from "../agent.ts";
import { sha256 } from "../algorithms.ts";
import { commandPipe } from "../command.ts";
import { hmacSha1 } from "../known-hosts.ts";
import { fileBackend } from "../known-hosts-files.ts";
import { privateKeyFile } from "../private-key.ts";
import { nodeRandom } from "../random.ts";
import type { KnownHostsPlan, SshConfigParts } from "./parts.ts";

/** The functions that `fromSshConfig` uses. */
export const nodeParts: SshConfigParts = {
  privateKeyFile,
  agent,
  knownHosts: createVerifier,
  commandPipe: (command, signal) => commandPipe(command, [], { shell: true, signal }),
  none,
};

function createVerifier(plan: KnownHostsPlan): HostKeyVerifier {
  const { files, globalFiles, mode, ask, hash, updateHostKeys, revokedHostKeys, command } = plan;
  const isEmpty = files.length + globalFiles.length === 0;
  const base = isEmpty ? portableBackend({ text: "" }) : fileBackend(files, globalFiles);
  /** Adds the lines of KnownHostsCommand. */
  const create = (lines?: () => Promise<string>) => {
    const load = async () => [
      ...(await base.load()),
      ...(lines ? [{ file: undefined, text: await lines(), isUsers: false }] : []),
    ];
    // Without a file of the user, a key that the user accepts is not kept, so each connection asks.
    const { change = async () => {} } = base;
    const isUpdated = updateHostKeys && command === undefined && files.length > 0;
    const options = { mode, hash, updateHostKeys: isUpdated, ...(ask && { ask }) };
    return createKnownHosts({ ...base, load, change }, options, { hmacSha1, sha256, random: nodeRandom });
  };
  const verifier = create(command && (() => command()));
  return {
    ...verifier,
    async check(offer) {
      if (revokedHostKeys !== undefined) await refuseRevoked(revokedHostKeys, offer.key, offer.host);
      const { keyType, fingerprint, key } = offer;
      const one = command ? create(() => command({ keyType, fingerprint, base64: toBase64(key) })) : verifier;
      return await one.check(offer);
    },
  };
}

/** As OpenSSH: a list that cannot be read refuses every key. */
async function refuseRevoked(path: string, key: Uint8Array, host: string): Promise<void> {
  const { readFile } = process.getBuiltinModule("node:fs/promises");
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw new SshError("hostkey", `expected to read RevokedHostKeys ${path}, got an error`, { cause });
  });
  const reason = parseRevokedKeys(Uint8Array.from(bytes), sha256).reason(key);
  if (reason !== undefined)
    throw new SshError("hostkey", `expected a host key of ${host} that is not revoked, got: ${reason}`);
}
