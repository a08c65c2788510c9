/** The algorithms of one connection, as its runtime supports them. @module */
import type { Algorithms, PublicKeyAlgorithm } from "@postern/crypto";
import type { CheckedHostOptions } from "./options.ts";
import type { HostPlatform } from "./platform.ts";

/** The algorithms of one connection. */
export interface PreparedAlgorithms {
  readonly algorithms: Algorithms;
  /** Those that users sign with. */
  readonly userKeys: readonly PublicKeyAlgorithm[];
  /** Those of the keys of CAs. */
  readonly authorityKeys: readonly PublicKeyAlgorithm[];
}

/** Replaces the algorithms that the runtime does not support. */
export async function prepareForClient(
  options: Pick<CheckedHostOptions, "algorithms" | "userKeys">,
  platform: Pick<HostPlatform, "algorithms" | "prepare">,
): Promise<PreparedAlgorithms> {
  const { prepare = async (given) => given } = platform;
  const algorithms = await prepare(options.algorithms);
  const { hostKeys } = algorithms;
  if (options.userKeys === undefined) return { algorithms, userKeys: hostKeys, authorityKeys: hostKeys };
  return {
    algorithms,
    userKeys: (await prepare({ ...algorithms, hostKeys: options.userKeys })).hostKeys,
    // A list of user keys says nothing about the keys of CAs.
    authorityKeys: (await prepare(platform.algorithms)).hostKeys,
  };
}
