/** Trusting servers by known_hosts files. @module */
import { createHmac } from "node:crypto";
import {
  createKnownHosts,
  type HostKeyVerifier,
  type KnownHostsOptions,
  type KnownHostsPrimitives,
  type KnownHostsSource,
  portableBackend,
} from "@postern/tunnel";
import { expectType, SshError } from "@postern/wire";
import { ecdsaNistp256, ecdsaNistp384, ecdsaNistp521, sha256 } from "./algorithms.ts";
import { fileBackend, globalKnownHosts, userKnownHosts } from "./known-hosts-files.ts";
import { prepareAlgorithms } from "./prepare.ts";
import { nodeRandom } from "./random.ts";

/** Where `knownHosts` looks. Default: the files of OpenSSH. */
export interface NodeKnownHostsSource extends KnownHostsSource {
  /**
   * Paths of known_hosts files, in order; `~` is the home directory. New keys go to the first. Missing files are empty.
   * Default: `~/.ssh/known_hosts` and `~/.ssh/known_hosts2`.
   */
  readonly files?: readonly string[];
  /**
   * Paths of more files, which are never changed. Default: none if `files` is set, otherwise those of the system:
   * `/etc/ssh/ssh_known_hosts` and `/etc/ssh/ssh_known_hosts2`, on Windows in `%PROGRAMDATA%\\ssh`.
   */
  readonly globalFiles?: readonly string[];
}

/**
 * Trusts the servers that the user has accepted before, with `ssh` or another program: by the known_hosts files of
 * OpenSSH, other files, a text, or lines in a store. The decisions are those of OpenSSH. A changed or revoked key is
 * always refused. All options may also be passed in the first argument.
 *
 * @throws SshError `misuse` for options that are unknown or contradict each other
 * @example
 * const hostKey = knownHosts({ files: ["/etc/my-service/known_hosts"] }, { mode: "accept-new" });
 */
export function knownHosts(
  source: NodeKnownHostsSource & KnownHostsOptions = {},
  options: KnownHostsOptions = {},
): HostKeyVerifier {
  expectType("the source of knownHosts", source, "object");
  const { text, store, files, globalFiles, ...more } = source;
  const usesFiles = text === undefined && store === undefined;
  if (!usesFiles && (files !== undefined || globalFiles !== undefined)) {
    throw new SshError("misuse", "expected files, a text or a store for knownHosts(), got more than one of them");
  }
  const backend = usesFiles
    ? {
        ...fileBackend(files ?? userKnownHosts(), globalFiles ?? (files === undefined ? globalKnownHosts() : [])),
        given: formatPaths({ files, globalFiles }),
      }
    : portableBackend({ text, store });
  // As in OpenSSH, files that the program names are not changed unless it asks for that.
  const updateHostKeys = usesFiles ? files === undefined : store !== undefined;
  return createKnownHosts(backend, { updateHostKeys, ...more, ...options }, primitives);
}

/** Formats options as the program wrote them: `files: ["known_hosts"], `. */
function formatPaths(options: Record<string, readonly string[] | undefined>): string {
  const set = Object.entries(options).filter(([, paths]) => paths !== undefined);
  return set.map(([name, paths]) => `${name}: ${JSON.stringify(paths)}, `).join("");
}

/** HMAC-SHA1, for hashed host names. */
function hmacSha1(key: Uint8Array, data: Uint8Array): Uint8Array {
  return createHmac("sha1", key).update(data).digest();
}

/** The primitives of this platform for `createKnownHosts`. */
export const primitives: KnownHostsPrimitives = {
  hmacSha1,
  sha256,
  random: nodeRandom,
  async moreHostKeys() {
    const hostKeys = [ecdsaNistp256, ecdsaNistp384, ecdsaNistp521];
    return (await prepareAlgorithms({ kex: [], hostKeys, ciphers: [], macs: [] })).hostKeys;
  },
};
