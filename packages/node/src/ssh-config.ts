/** The user's ssh configuration. Loaded at the first call, because few programs need it. @module */
import type { FromSshConfigOptions, SshConfigResult } from "./ssh-config/from-ssh-config.ts";
import type { ResolvedSshConfig, ResolveSshConfigOptions } from "./ssh-config/resolve.ts";

/**
 * Reads the user's ssh configuration, and returns options for a tunnel that logs in as `ssh host` would: the same
 * server, user, keys, host keys and jump hosts. `host` is an alias, `user@alias` or `ssh://user@host:port`. Nothing is
 * run unless `allowExec` is set.
 *
 * @throws SshError `misuse` with file and line if ssh would refuse the file, a command may not run, `Compression` is
 *   `yes`, or an algorithm is unknown; the reason of `signal`
 * @example
 * const { options } = await fromSshConfig("my-alias");
 * const tunnel = new ReverseTunnel(options);
 */
export async function fromSshConfig(host: string, options?: FromSshConfigOptions): Promise<SshConfigResult> {
  const { createFromSshConfig, nodeParts } = await import("./ssh-config/index.ts");
  return await createFromSshConfig(nodeParts)(host, options);
}

/**
 * Reads the user's ssh configuration and returns the values for one host, as `ssh -G` prints them. `host` is what
 * follows `ssh` on a command line: `alias`, `user@alias`, `ssh://user@host:port`.
 *
 * @throws SshError `misuse` with file and line if ssh would refuse the file, a limit is exceeded, or `Match exec` is
 *   used without `allowExec`; the reason of `signal`
 * @example
 * const { hostName, port, user } = await resolveSshConfig("my-alias");
 */
export async function resolveSshConfig(host: string, options?: ResolveSshConfigOptions): Promise<ResolvedSshConfig> {
  const { resolveConfig } = await import("./ssh-config/index.ts");
  return await resolveConfig(host, options);
}
