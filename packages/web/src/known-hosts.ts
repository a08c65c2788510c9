/** Trusting servers by known_hosts, in pure JavaScript. @module */
import { webRandom } from "@postern/crypto";
import { ecdsaNistp256, ecdsaNistp384, ecdsaNistp521, hmacSha1, sha256 } from "@postern/noble";
import {
  createKnownHosts,
  type HostKeyVerifier,
  type KnownHostsOptions,
  type KnownHostsSource,
  portableBackend,
} from "@postern/tunnel";
import { expectType } from "@postern/wire";

/**
 * Trusts servers by the text of a known_hosts file, or by lines in a store of the program, with the decisions of
 * OpenSSH. A changed or revoked key is always refused. All options may also be passed in the first argument.
 *
 * @throws SshError `misuse` for options that are unknown or contradict each other
 * @example
 * const hostKey = knownHosts({ text: "ssh.example.com ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIF…" });
 */
export function knownHosts(
  source: KnownHostsSource & KnownHostsOptions,
  options: KnownHostsOptions = {},
): HostKeyVerifier {
  expectType("the source of knownHosts", source, "object");
  const { text, store, ...more } = source;
  const updateHostKeys = store !== undefined;
  const backend = portableBackend({ text, store });
  const moreHostKeys = () => [ecdsaNistp256, ecdsaNistp384, ecdsaNistp521];
  const primitives = { hmacSha1, sha256, random: webRandom, moreHostKeys };
  return createKnownHosts(backend, { updateHostKeys, ...more, ...options }, primitives);
}
